"""How fast a download has been lately, and how long it will take. Pure."""

from collections import deque

SPAN_S = 10.0


class Rate:
    """Bytes a second over the last moments: long enough to be steady, short enough to be true."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, now_s: float, done_bytes: int) -> float | None:
        """Take how far it is now and return the rate, None until there is one."""
        if self._seen and done_bytes < self._seen[-1][1]:
            self._seen.clear()  # it began anew
        self._seen.append((now_s, done_bytes))
        while len(self._seen) > 2 and self._seen[1][0] <= now_s - SPAN_S:
            self._seen.popleft()
        (first_s, first_bytes), (last_s, last_bytes) = self._seen[0], self._seen[-1]
        return (last_bytes - first_bytes) / (last_s - first_s) if last_s - first_s >= 0.5 else None
