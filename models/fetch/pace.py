"""How fast bytes may come: a limit that all downloads of a machine keep to together, though each is a process.

Source: the generic cell rate algorithm (ITU-T I.371), which is a token bucket whose whole state is one moment: when
the bytes that were let through so far would have come at the limit.
"""

import fcntl
import math
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

BURST_S = 0.25
"""So much of a second's bytes may come at once."""
_MOMENT = struct.Struct("<d")
_LOCK_ATTEMPTS = 20
_LOCK_PAUSE_S = 0.001


def next_moment(moment_s: float, now_s: float, num_bytes: int, bytes_per_s: float) -> float:
    """Return the moment after so many bytes more. One far ahead is from before the machine's clock began anew."""
    is_plausible = math.isfinite(moment_s) and moment_s < now_s + 3600
    return max(moment_s if is_plausible else now_s, now_s - BURST_S) + num_bytes / bytes_per_s


class Pace:
    """A limit for the threads of one process or, with a file, for all processes that name the same file."""

    def __init__(self, bytes_per_s: float, path: Path | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self._bytes_per_s = bytes_per_s
        self._path = path
        self._now = now
        self._moment_s = 0.0
        self._lock = threading.Lock()

    def take(self, num_bytes: int) -> float:
        """Let bytes through and return how many seconds to wait before the next ones are asked for."""
        with self._lock, self._shared() as descriptor:
            if descriptor is not None:
                kept = os.pread(descriptor, _MOMENT.size, 0)
                self._moment_s = _MOMENT.unpack(kept)[0] if len(kept) == _MOMENT.size else 0.0
            now_s = self._now()
            self._moment_s = next_moment(self._moment_s, now_s, num_bytes, self._bytes_per_s)
            if descriptor is not None:
                os.pwrite(descriptor, _MOMENT.pack(self._moment_s), 0)
            return max(0.0, self._moment_s - now_s)

    @contextmanager
    def _shared(self) -> Iterator[int | None]:
        """Give the open file, locked; None without one, or where its holder was halted just then."""
        if self._path is None:
            yield None
            return
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield descriptor if _is_locked(descriptor) else None
        finally:
            os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    """Lock the file, unless that takes longer than a halted holder would be worth; return whether it is ours."""
    for _ in range(_LOCK_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(_LOCK_PAUSE_S)
        else:
            return True
    return False
