"""Models that come from elsewhere: what a pull's child process has fetched becomes a model of this machine."""

import asyncio
import time
from pathlib import Path

import msgspec

from appliance.core.jobs import Job, JobProgress, JsonObject, Tell
from appliance.core.pulls import COMPILING, KEEPING, PulledModel
from models.fetch.downloads import Downloads
from models.manifest import ModelManifest
from models.store.store import ModelStore

from .care import ModelCare
from .installed import name_of
from .pull_order import KEYS_FILE, FetchedModel
from .store_errors import store_errors


class Pulls:
    """Takes over what the jobs of the kind `pull` end with, and what they leave."""

    def __init__(self, store: ModelStore, care: ModelCare, downloads: Downloads) -> None:
        self._store = store
        self._care = care
        self._downloads = downloads

    async def keep(self, job: Job, result: JsonObject, tell: Tell) -> JsonObject:
        """Make the fetched files a model; the job's result is then a `PulledModel`. Raises: Conflict, InvalidRequest.

        A daemon that dies anywhere in here leaves the model whole or not at all: the job is then run again.
        """
        fetched = msgspec.convert(result, FetchedModel)
        tell(JobProgress(text=KEEPING))
        before = self._store.get(fetched.name)
        with store_errors():
            manifest = await asyncio.to_thread(self._add, fetched)
        name = name_of(manifest)
        if before is None or before.digest != manifest.digest:
            self._care.renew(name)
        async for ratio in self._care.adopted(manifest):
            tell(JobProgress(text=COMPILING, done=ratio, total=1.0))
        self._forget(Path(fetched.folder).parent)
        is_talking = manifest.details.task == "generate"
        hint = f"chat with it: appliance run {name}" if is_talking else f"see: appliance models show {name}"
        pulled = PulledModel(
            model=name,
            reference=fetched.provenance.reference,
            size_bytes=manifest.size_bytes,
            note=f"'{name}' is here; {hint}",
            notes=fetched.notes,
        )
        kept: JsonObject = msgspec.to_builtins(pulled)
        return kept

    def discard(self, folder: Path) -> None:
        """Delete what a job that was given up has fetched so far. `folder` is its own."""
        self._forget(folder)

    def _add(self, fetched: FetchedModel) -> ModelManifest:
        return self._store.add_fetched(
            Path(fetched.folder), fetched.name, fetched.provenance, time.time(), fetched.preset
        )

    def _forget(self, folder: Path) -> None:
        try:
            keys = msgspec.json.decode((folder / KEYS_FILE).read_bytes(), type=tuple[str, ...])
        except (OSError, msgspec.DecodeError):
            return  # the job had not come so far
        for key in keys:
            self._downloads.remove(key)
