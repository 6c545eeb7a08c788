"""The notes on files whose content is no longer what it was, which only reading them whole can tell."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from models.files import replace_atomically
from models.manifest import ModelManifest

_Stamp = tuple[int, int, int]


class DamagedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it was when it was found damaged; `sha256` is what it should have. It counts for that very file."""

    path: str
    sha256: str
    problem: str
    found_s: float
    size_bytes: int
    mtime_ns: int
    inode: int

    def is_of(self, status: os.stat_result) -> bool:
        """Return whether this is said of a file in that state."""
        return (self.size_bytes, self.mtime_ns, self.inode) == (status.st_size, status.st_mtime_ns, status.st_ino)


class DamageNotes:
    """Owns the file `damaged.json`. Whoever changes it holds the store's lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: _Stamp | None = None
        self._known: dict[str, DamagedFile] = {}

    def sentences(self, manifest: ModelManifest) -> list[str]:
        """Return a sentence for each damaged file of a model."""
        notes = self._read()
        if not notes:
            return []
        return [f"{file.path}: {note.problem}" for file in manifest.files if (note := _valid(notes, file.path))]

    def note(self, damaged: Iterable[DamagedFile], sound: Iterable[tuple[str, str]] = ()) -> None:
        """Note what a reading found, and forget what was noted of the files that it found to have `(path, sha256)`."""
        before = self._read()
        known = {path: note for path, note in before.items() if _valid(before, path)}
        for path, sha256 in sound:
            if path in known and known[path].sha256 == sha256:
                del known[path]
        known |= {each.path: each for each in damaged}
        if known != before:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with replace_atomically(self._path) as stream:
                stream.write(msgspec.json.format(msgspec.json.encode(list(known.values()))) + b"\n")

    def _read(self) -> Mapping[str, DamagedFile]:
        """Return the notes by path, read again only when they changed. Notes that cannot be read count for nothing."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp != self._stamp:
                notes = msgspec.json.decode(self._path.read_bytes(), type=list[DamagedFile])
                self._stamp, self._known = stamp, {note.path: note for note in notes}
        except (OSError, msgspec.MsgspecError):
            self._stamp, self._known = None, {}
        return self._known


def _valid(notes: Mapping[str, DamagedFile], path: str) -> DamagedFile | None:
    """Return what is said of a file as it is now."""
    note = notes.get(path)
    try:
        return note if note is not None and note.is_of(Path(path).stat()) else None
    except OSError:
        return None
