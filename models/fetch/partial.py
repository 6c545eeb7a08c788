"""A file on its way: its bytes, and the durable record of which of them are on the disk.

The folder of one file holds `data` and `state.json`. A range stands in `state.json` only when its bytes were synced
before, so a process or a machine may die at any moment: what the record claims is there.
"""

import errno
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from models.errors import StoreError
from models.fetch import ranges
from models.fetch.ranges import Ranges
from models.files import replace_atomically

DATA_FILE = "data"
STATE_FILE = "state.json"
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class FetchState(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a file. `version` is the source's own word for the content; `sha256` once it was verified."""

    size_bytes: int
    version: str | None
    ranges: Ranges = ()
    sha256: str | None = None
    mtime_ns: int | None = None


class PartialFile:
    """Owns one folder. Threads may write disjoint ranges at once; `keep` may run beside them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / DATA_FILE
        self._descriptor = -1
        self._lock = threading.Lock()
        self._state = FetchState(size_bytes=0, version=None)
        self._kept: Ranges = ()

    def open(self, size_bytes: int, version: str | None, *, is_trusted: bool) -> None:
        """Go on with what is here of a file of that size and version; of any other, begin anew.

        `is_trusted`: whatever is here can be gone on with, as a digest will tell whether it belongs together.
        """
        self.close()
        found = self.saved()
        is_same = is_trusted or (found is not None and version is not None and found.version == version)
        with _room(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            if found is None or found.size_bytes != size_bytes or not is_same:
                self.restart(size_bytes, version)
                return
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        self._state = msgspec.structs.replace(found, version=version)
        self._kept = found.ranges

    def saved(self) -> FetchState | None:
        """Return the record, None where there is none or where it does not fit the file."""
        try:
            state = msgspec.json.decode((self._folder / STATE_FILE).read_bytes(), type=FetchState)
            is_whole = self.path.stat().st_size == state.size_bytes
        except (OSError, msgspec.DecodeError):
            return None
        return state if is_whole and ranges.are_sound(state.ranges, state.size_bytes) else None

    def restart(self, size_bytes: int, version: str | None) -> None:
        """Begin anew, in a new file: the one that is here may have got a second name when it was whole."""
        self.forget()
        with _room(self._folder):
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._descriptor, size_bytes)
        self._state = FetchState(size_bytes=size_bytes, version=version)
        self._kept = ()

    @property
    def ranges(self) -> Ranges:
        """Return what was written, whether or not it is on the disk already."""
        return self._state.ranges

    def write(self, start: int, pieces: Sequence[bytes]) -> None:
        """Write bytes that follow each other. Raises: StoreError, where the disk is full."""
        num_bytes = sum(map(len, pieces))
        with _room(self._folder):
            written = os.pwritev(self._descriptor, pieces, start)
            if written < num_bytes:  # on a full disk, the first part of it is written without an error
                os.pwrite(self._descriptor, b"".join(pieces)[written:], start + written)
        with self._lock:
            state = self._state
            self._state = msgspec.structs.replace(state, ranges=ranges.add(state.ranges, start, start + num_bytes))

    def read_into(self, buffer: memoryview, start: int) -> int:
        """Fill the buffer from `start` on and return how many bytes that were."""
        return os.preadv(self._descriptor, [buffer], start)

    def keep(self) -> None:
        """Make what was written so far durable, and then say so."""
        state = self._state
        if state.ranges == self._kept:
            return
        with _room(self._folder):
            os.fdatasync(self._descriptor)
            with replace_atomically(self._folder / STATE_FILE) as stream:
                stream.write(msgspec.json.encode(state))
        self._kept = state.ranges

    def finish(self, size_bytes: int, sha256: str) -> FetchState:
        """Make the whole, verified file durable and return its record."""
        with _room(self._folder):
            os.ftruncate(self._descriptor, size_bytes)
            os.fsync(self._descriptor)
            self._state = FetchState(
                size_bytes=size_bytes,
                version=self._state.version,
                ranges=((0, size_bytes),) if size_bytes else (),
                sha256=sha256,
                mtime_ns=os.fstat(self._descriptor).st_mtime_ns,
            )
            with replace_atomically(self._folder / STATE_FILE) as stream:
                stream.write(msgspec.json.encode(self._state))
        return self._state

    def forget(self) -> None:
        """Delete everything that is here."""
        self.close()
        (self._folder / STATE_FILE).unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let the file go; what is there stays."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@contextmanager
def _room(folder: Path) -> Iterator[None]:
    """Say what a full or failing disk means for a download. Raises: StoreError."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StoreError(
                f"the disk of {folder.parent} is full; free some and pull again: it goes on where it stopped"
            ) from error
        raise StoreError(f"{error.filename or folder}: {error.strerror or error}") from error
