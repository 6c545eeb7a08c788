"""The file `lock` in a folder of the cache: who holds it has the folder, and what it says is for whoever has not.

It tells how much lies in the folder, how much may still be written, and by its time when that last changed. So the
daemon knows what a folder holds without looking at thousands of files.
"""

import fcntl
import math
import os
import struct
import time
from pathlib import Path
from typing import NamedTuple

LOCK_FILE = "lock"
_STATE = struct.Struct("<Qdd")
_RETRY_S = 0.02


class FolderState(NamedTuple):
    """Bytes in the folder, and what the write budget held at a moment; None without such a budget."""

    num_bytes: int = 0
    writable_bytes: float | None = None
    at_s: float = 0.0


class FolderLock:
    """A folder that is held, until `release`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @staticmethod
    def take(folder: Path, patience_s: float = 0.0) -> "FolderLock | None":
        """Hold a folder that is there; None when another process has it. Raises: OSError, also when it is gone.

        The daemon holds a folder for a moment to look at it, which `patience_s` outlasts.
        """
        give_up_s = time.monotonic() + patience_s
        while True:
            descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
            if _hold(descriptor, folder / LOCK_FILE):
                return FolderLock(descriptor)
            os.close(descriptor)
            if time.monotonic() >= give_up_s:
                return None
            time.sleep(_RETRY_S)

    def read(self) -> FolderState:
        """Return what was written last, by this process or another."""
        return _unpack(os.pread(self._descriptor, _STATE.size, 0))

    def write(self, state: FolderState) -> None:
        """Say what is in the folder. Not synced: after a power failure an older state may stand here."""
        writable_bytes = math.nan if state.writable_bytes is None else state.writable_bytes
        os.pwrite(self._descriptor, _STATE.pack(state.num_bytes, writable_bytes, state.at_s), 0)

    def release(self) -> None:
        """Let others have the folder."""
        os.close(self._descriptor)


def read_state(folder: Path) -> FolderState:
    """Return what the holder of a folder says of it; nothing where nobody ever held it."""
    try:
        return _unpack((folder / LOCK_FILE).read_bytes())
    except OSError:
        return FolderState()


def _hold(descriptor: int, path: Path) -> bool:
    """Lock an open file, unless it was deleted or replaced before that: such a lock would keep nobody out."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


def _unpack(content: bytes) -> FolderState:
    if len(content) != _STATE.size:
        return FolderState()
    num_bytes, writable_bytes, at_s = _STATE.unpack(content)
    return FolderState(num_bytes, writable_bytes if math.isfinite(writable_bytes) else None, at_s)
