"""The copies of models' files, named by their digests: one for all models that have the file."""

import os
from collections.abc import Collection
from pathlib import Path

from models.files import PARTIAL_SUFFIX, delete_durably, replace_atomically, sync_file, sync_folder
from models.store.intake import is_abandoned

# The same for every copy: a model that shares a file with a later one finds it unchanged.
_MTIME_NS = 0
_PREFIX = "sha256-"


class Blobs:
    """Owns `blobs/`. Whoever changes something here holds the store's lock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self) -> None:
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        """Return where the file of that digest lies, if it is here."""
        return self.folder / f"{_PREFIX}{sha256}"

    def find(self, sha256: str) -> Path | None:
        """Return the file of that digest, None when it is not here."""
        path = self.path(sha256)
        return path if path.is_file() else None

    def take(self, file: Path, sha256: str) -> Path:
        """Let a whole file of this file system be the blob, under this name alone. Its content is synced already."""
        path = self.path(sha256)
        os.utime(file, ns=(_MTIME_NS, _MTIME_NS))
        file.replace(path)
        sync_folder(self.folder)
        return path

    def share(self, file: Path, sha256: str) -> Path:
        """Let a whole file of this file system be the blob as well as what it is, without reading it.

        Where the file system knows no second names, the file moves here at once.
        """
        self.prepare()
        path, file = self.path(sha256), file.resolve(strict=True)  # a second name of a link would be a link
        if path.exists() and path.samefile(file):
            return path
        sync_file(file)
        partial = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL_SUFFIX}")
        partial.unlink(missing_ok=True)
        try:
            os.link(file, partial)
        except OSError:
            return self.take(file, sha256)
        return self.take(partial, sha256)

    def write(self, content: bytes, sha256: str) -> Path:
        """Make a blob of what is in memory."""
        self.prepare()
        path = self.path(sha256)
        with replace_atomically(path) as stream:
            stream.write(content)
        os.utime(path, ns=(_MTIME_NS, _MTIME_NS))
        return path

    def unused(self, used_names: Collection[str]) -> list[Path]:
        """Return the blobs that are not among those."""
        return sorted(path for path in self.folder.glob(f"{_PREFIX}*") if path.name not in used_names)

    def abandoned(self) -> list[Path]:
        """Return the beginnings of copies that no living process goes on with."""
        return sorted(path for path in self.folder.glob(f".*{PARTIAL_SUFFIX}") if is_abandoned(path))

    def delete(self, path: Path) -> None:
        """Delete a blob, or the beginning of one, so that it stays deleted."""
        delete_durably(path)
