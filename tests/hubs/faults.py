"""What goes wrong on a hub's way to its client, switched on and off while it runs.

Faults of bytes concern what a file is made of, never the answers of an API: those are refused or not.
"""

import threading
from dataclasses import dataclass, field


@dataclass
class Refusal:
    """An answer that is no answer. `times` counts down; None refuses for ever."""

    status: int
    path: str = ""
    method: str | None = None
    times: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Faults:
    """Every method switches one fault on and returns this, so that several can be named at once; `mend` ends all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = threading.Event()
        self._released = threading.Event()
        self._refusals: list[Refusal] = []
        self.mend()

    def mend(self) -> "Faults":
        """Let everything go right from now on, and those that are held go on."""
        self.drop_bytes: int | None = None
        self.drops_left: int | None = None
        self.truncated_bytes: int | None = None
        self.hold_bytes: int | None = None
        self.bytes_per_s: int | None = None
        self.ranges = True
        self.corrupted: str | None = None
        self.changed_after: int | None = None
        self.changed_data = b""
        self._num_bodies = 0
        self._refusals = []
        self.release()
        return self

    def refuse(
        self,
        status: int,
        *,
        path: str = "",
        method: str | None = None,
        times: int | None = None,
        retry_after_s: int | None = None,
        body: bytes = b"",
    ) -> "Faults":
        """Answer requests whose path contains `path` with `status` and nothing of use."""
        headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
        self._refusals.append(Refusal(status, path, method, times, headers, body))
        return self

    def drop_every(self, num_bytes: int, *, times: int | None = None) -> "Faults":
        """Break the line after so many bytes of each file that is asked for, `times` times."""
        self.drop_bytes, self.drops_left = num_bytes, times
        return self

    def truncate(self, num_bytes: int) -> "Faults":
        """Serve files as if they ended after so many bytes, with a length that says so."""
        self.truncated_bytes = num_bytes
        return self

    def corrupt(self, part_of_path: str = "") -> "Faults":
        """Flip a bit in the middle of every file whose path contains this."""
        self.corrupted = part_of_path
        return self

    def slow(self, bytes_per_s: int) -> "Faults":
        """Send files no faster than this, each connection by itself."""
        self.bytes_per_s = bytes_per_s
        return self

    def without_ranges(self) -> "Faults":
        """Answer every request for a part of a file with the whole of it."""
        self.ranges = False
        return self

    def change_after(self, num_requests: int, data: bytes) -> "Faults":
        """Serve other content, under another ETag, once so many requests for files were answered."""
        self.changed_after, self.changed_data = num_requests, data
        return self

    def hold_after(self, num_bytes: int) -> "Faults":
        """Stop in the middle of each file after so many bytes and wait for `release`."""
        self._released.clear()
        self._held.clear()
        self.hold_bytes = num_bytes
        return self

    def release(self) -> "Faults":
        """Let those go on that are held, and hold nobody any more."""
        self.hold_bytes = None
        self._released.set()
        return self

    def wait_until_held(self, timeout_s: float = 30) -> None:
        """Return as soon as one client waits in the middle of a file."""
        assert self._held.wait(timeout_s), "nobody came that far"

    def hold(self) -> None:
        """Wait as `hold_after` said: called by the server, in the thread of one connection."""
        self._held.set()
        self._released.wait()

    def refusal_of(self, method: str, path: str) -> Refusal | None:
        """Return how this request is refused, None where it is not."""
        with self._lock:
            for refusal in self._refusals:
                if refusal.path in path and refusal.method in (None, method) and refusal.times != 0:
                    if refusal.times is not None:
                        refusal.times -= 1
                    return refusal
        return None

    def take_drop(self) -> int | None:
        """Return after how many bytes the line of this answer breaks, None where it does not."""
        with self._lock:
            if self.drop_bytes is None or self.drops_left == 0:
                return None
            if self.drops_left is not None:
                self.drops_left -= 1
            return self.drop_bytes

    def has_changed(self) -> bool:
        """Count one request for a file, and return whether the file is another one by now."""
        with self._lock:
            self._num_bodies += 1
            return self.changed_after is not None and self._num_bodies > self.changed_after
