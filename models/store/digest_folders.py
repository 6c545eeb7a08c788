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
        """Fill the folder of a digest with links, by names that may hold folders.

        Links to files beside this folder move with it; other files stay where they are.
        """
        for name, target in files.items():
            link = self.path(digest) / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            is_ours = target.is_relative_to(self._parent.parent)
            link.symlink_to(os.path.relpath(target, link.parent) if is_ours else target)

    def unused(self, digests: Collection[str]) -> list[Path]:
        """Return the folders of all other digests."""
        kept = {self.path(digest).name for digest in digests}
        folders = self._parent.iterdir() if self._parent.is_dir() else ()
        return sorted(folder for folder in folders if folder.name not in kept)

    def keep_only(self, digests: Collection[str]) -> int:
        """Delete the folders of all other digests and return the bytes of the files in them."""
        unused = self.unused(digests)
        freed_bytes = sum(map(folder_bytes, unused))
        for folder in unused:
            shutil.rmtree(folder)
        return freed_bytes


def folder_bytes(folder: Path) -> int:
    """Return the bytes of the files in a folder; links take none."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
