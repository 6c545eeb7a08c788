"""Models that are made of what is here: copies, models with a beginning of their own, uploaded files."""

import asyncio
import time
from collections.abc import AsyncIterator

from appliance.errors import Conflict
from models.finding.facts import ModelFacts, read_facts
from models.manifest import ModelManifest, ModelPreset
from models.store.store import ModelStore
from models.store.uploads import sha256_of

from .care import ModelCare
from .installed import Installed
from .store_errors import store_errors

_WRITE_BYTES = 2**20


class ModelCopies:
    """Files are read and written on another thread than the daemon's own."""

    def __init__(self, store: ModelStore, installed: Installed, care: ModelCare) -> None:
        self._store = store
        self._installed = installed
        self._care = care
        self._facts: dict[str, ModelFacts] = {}
        self._receiving: set[str] = set()

    async def facts(self, canonical: str) -> ModelFacts:
        """Return what the files of a model say of themselves; read once. Raises: ModelNotFound, InvalidRequest."""
        manifest = self._installed.manifest(canonical)
        if manifest.digest not in self._facts:
            with store_errors():
                opened = self._store.opened_path(manifest)
                self._facts[manifest.digest] = await asyncio.to_thread(read_facts, manifest, opened)
        return self._facts[manifest.digest]

    async def derive(self, source: str, target: str, preset: ModelPreset | None) -> None:
        """Give an installed model one more name, with what it begins with.

        Raises: ModelNotFound, Conflict, InvalidRequest.
        """
        digest = self._installed.manifest(source).digest
        self._check_idle(target, digest)
        with store_errors():
            await asyncio.to_thread(self._store.derive, source, target, preset, time.time())
        self._installed.refresh()

    async def make(self, digest: str, target: str, preset: ModelPreset | None) -> ModelManifest:
        """Make a model of an uploaded GGUF file. Raises: Conflict, InvalidRequest."""
        with store_errors():
            sha256 = sha256_of(digest)
            self._check_idle(target, f"sha256:{sha256}")
            manifest = await asyncio.to_thread(self._store.add_uploaded, sha256, target, preset, time.time())
        self._installed.refresh()
        return manifest

    def has_upload(self, digest: str) -> bool:
        """Return whether a file with that digest is here. Raises: InvalidRequest, for what is no digest."""
        with store_errors():
            return self._store.uploaded_path(sha256_of(digest)) is not None

    async def receive(self, digest: str, chunks: AsyncIterator[bytes]) -> None:
        """Write a file as it comes, a little at a time; what does not come whole leaves nothing behind.

        Raises: InvalidRequest, for a digest that is not the file's, and where the disk has no room; Conflict.
        """
        with store_errors():
            sha256 = sha256_of(digest)
            if sha256 in self._receiving:
                raise Conflict(f"{digest} is being uploaded already")
            self._receiving.add(sha256)
            upload = None
            try:
                upload = self._store.uploads.begin(sha256)
                async for data in _gathered(chunks):
                    await asyncio.shield(asyncio.to_thread(upload.write, data))
                await asyncio.shield(asyncio.to_thread(upload.finish, sha256))
            finally:
                self._receiving.discard(sha256)
                if upload is not None:
                    upload.close()

    def _check_idle(self, target: str, digest: str) -> None:
        """Raise Conflict where other files would take the name of a model that is in memory."""
        status = self._care.status(target)
        if status is not None and self._installed.manifest(status.name).digest != digest:
            raise Conflict(f"model {target!r} is {status.state}; unload it first")


async def _gathered(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the same bytes in pieces that are worth a trip to another thread."""
    parts: list[bytes] = []
    num_bytes = 0
    async for chunk in chunks:
        parts.append(chunk)
        num_bytes += len(chunk)
        if num_bytes >= _WRITE_BYTES:
            yield b"".join(parts)
            parts, num_bytes = [], 0
    yield b"".join(parts)
