"""Folders that belong to models by their digests: made with a model, deleted with the last of its names."""

import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path


class DigestFolders:
    """A folder with one folder for each digest. Whoever makes or deletes one holds the store's lock."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent

    def path(self, digest: str) -> Path:
        """Return the folder of a digest, which need not exist."""
        return self._parent / digest.replace(":", "-")

    def link(self, digest: str, files: Mapping[str, Path]) -> None:
        """Fill the folder of a digest with links, by names that may hold folders; the links move with the root."""
        for name, target in files.items():
            link = self.path(digest) / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(os.path.relpath(target, link.parent))

    def keep_only(self, digests: Collection[str]) -> int:
        """Delete the folders of all other digests and return the bytes of the files in them."""
        kept = {self.path(digest).name for digest in digests}
        folders = self._parent.iterdir() if self._parent.is_dir() else ()
        unused = [folder for folder in folders if folder.name not in kept]
        files = [file for folder in unused for file in folder.rglob("*") if file.is_file() and not file.is_symlink()]
        freed_bytes = sum(file.stat().st_size for file in files)
        for folder in unused:
            shutil.rmtree(folder)
        return freed_bytes
