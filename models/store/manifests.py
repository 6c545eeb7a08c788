"""A folder of manifests: a JSON file for each key, read again only when it changed."""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import msgspec

from models.files import PARTIAL_SUFFIX, delete_durably, replace_atomically
from models.manifest import SCHEMA_VERSION, ModelManifest
from models.names import ModelName

_SUFFIX = ".json"
_Stamp = tuple[int, int, int]
# Longer than the steps in which any file system counts the time
_SETTLING_NS = 3 * 10**9

logger = logging.getLogger(__name__)


class _Manifest(Protocol):
    @property
    def schema_version(self) -> int: ...


M = TypeVar("M", bound=_Manifest)


class ManifestFolder(Generic[M]):
    """Reads and writes manifests of one type. Whoever writes holds the store's lock."""

    def __init__(self, folder: Path, kind: type[M], order: Callable[[M], tuple[str, ...]]) -> None:
        self._folder = folder
        self._kind = kind
        self._order = order
        self._known: dict[str, tuple[_Stamp, M | None]] = {}
        self._read_at: tuple[int, int] | None = None
        self._all: tuple[list[M], int] = ([], 0)

    def read_all(self) -> tuple[list[M], int]:
        """Return the manifests in their order, and how many files could not be understood.

        Each change is a renaming in the folder, so where that has not changed nothing is read.
        """
        read_at = self._stamp()
        if read_at is None or read_at != self._read_at:
            self._all = self._read_folder()
            self._read_at = read_at
        return self._all[0].copy(), self._all[1]

    def _stamp(self) -> tuple[int, int] | None:
        """Return what changes with the folder; None where it changed so lately that its clock may not tell more."""
        try:
            status = self._folder.stat()
        except FileNotFoundError:
            return None
        is_settled = time.time_ns() > status.st_mtime_ns + _SETTLING_NS
        return (status.st_mtime_ns, status.st_ino) if is_settled else None

    def _read_folder(self) -> tuple[list[M], int]:
        found: dict[str, tuple[_Stamp, M | None]] = {}
        try:
            entries = list(os.scandir(self._folder))
        except FileNotFoundError:
            entries = []
        for entry in entries:
            if not entry.name.endswith(_SUFFIX) or entry.name.startswith("."):
                continue
            try:
                status = entry.stat()
                stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
                known = self._known.get(entry.name)
                found[entry.name] = known if known and known[0] == stamp else (stamp, self._read(Path(entry.path)))
            except FileNotFoundError:
                continue  # removed since the folder was read
        self._known = found
        manifests = [manifest for _, manifest in found.values() if manifest is not None]
        manifests.sort(key=self._order)
        return manifests, len(found) - len(manifests)

    def get(self, key: str) -> M | None:
        """Return the manifest of a key."""
        try:
            return self._read(self._path(key))
        except FileNotFoundError:
            return None

    def write(self, key: str, manifest: M) -> None:
        """Store the manifest as a whole, in place of one of the same key."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with replace_atomically(self._path(key)) as stream:
            stream.write(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")

    def partials(self) -> list[Path]:
        """Return the beginnings of manifests that a killed process left. Whoever asks holds the store's lock."""
        return sorted(self._folder.glob(f".*{PARTIAL_SUFFIX}"))

    def delete(self, key: str) -> None:
        """Forget the manifest of a key."""
        delete_durably(self._path(key))

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"

    def _read(self, path: Path) -> M | None:
        """Return a manifest, or None when the file is damaged or of a later version."""
        try:
            manifest = msgspec.json.decode(path.read_bytes(), type=self._kind)
        except msgspec.DecodeError as error:
            logger.warning("manifest %s cannot be read and is left out: %s", path, error)
            return None
        if manifest.schema_version > SCHEMA_VERSION:
            logger.warning("manifest %s is of a later version and is left out", path)
            return None
        return manifest


def model_manifests(folder: Path) -> ManifestFolder[ModelManifest]:
    """Return a folder of the manifests of models, which are read by name and tag."""
    return ManifestFolder(folder, ModelManifest, lambda manifest: (manifest.name, manifest.tag))


def key_of(name: ModelName) -> str:
    """Return the key of a name and tag; adapters and variant do not matter.

    `+` cannot occur inside a part of a name, so no two names share a key.
    """
    return f"{name.repository.replace('/', '+')}+{name.tag}"
