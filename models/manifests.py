"""The folder of manifests: one JSON file for each name and tag, read again only when it changed."""

import logging
import os
from pathlib import Path

import msgspec

from models.files import delete_durably, replace_atomically
from models.manifest import SCHEMA_VERSION, ModelManifest
from models.names import ModelName

_SUFFIX = ".json"
_Stamp = tuple[int, int, int]

logger = logging.getLogger(__name__)


class ManifestFolder:
    """Reads and writes manifests. Whoever writes holds the store's lock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[_Stamp, ModelManifest | None]] = {}

    def read_all(self) -> tuple[list[ModelManifest], int]:
        """Return the manifests by name and tag, and how many files could not be understood."""
        found: dict[str, tuple[_Stamp, ModelManifest | None]] = {}
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
                found[entry.name] = known if known and known[0] == stamp else (stamp, _read(Path(entry.path)))
            except FileNotFoundError:
                continue  # removed since the folder was read
        self._known = found
        manifests = [manifest for _, manifest in found.values() if manifest is not None]
        manifests.sort(key=lambda manifest: (manifest.name, manifest.tag))
        return manifests, len(found) - len(manifests)

    def get(self, name: ModelName) -> ModelManifest | None:
        """Return the manifest of a name and tag; adapters and variant do not matter here."""
        try:
            return _read(self._path(name))
        except FileNotFoundError:
            return None

    def write(self, name: ModelName, manifest: ModelManifest) -> None:
        """Store the manifest as a whole, in place of one of the same name and tag."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with replace_atomically(self._path(name)) as stream:
            stream.write(msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n")

    def delete(self, name: ModelName) -> None:
        """Forget the manifest of a name and tag."""
        delete_durably(self._path(name))

    def _path(self, name: ModelName) -> Path:
        """`+` cannot occur inside a part of a name, so no two names share a file."""
        return self._folder / f"{name.repository.replace('/', '+')}+{name.tag}{_SUFFIX}"


def _read(path: Path) -> ModelManifest | None:
    """Return a manifest, or None when the file is damaged or of a later version."""
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=ModelManifest)
    except msgspec.DecodeError as error:
        logger.warning("manifest %s cannot be read and is left out: %s", path, error)
        return None
    if manifest.schema_version > SCHEMA_VERSION:
        logger.warning("manifest %s is of a later version and is left out", path)
        return None
    return manifest
