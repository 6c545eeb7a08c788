"""How much may be written to storage that wears out: a day's worth at once, refilled evenly. No clock of its own."""

_DAY_S = 86_400.0


class WriteBudget:
    """A bucket of bytes. Times are of the wall clock, since it outlives the process; going back adds nothing."""

    def __init__(self, max_bytes_per_day: int, now_s: float, writable_bytes: float | None = None) -> None:
        """Begin with what was left at `now_s`, or with a full day's worth."""
        self._max_bytes = max_bytes_per_day
        self._writable_bytes = float(max_bytes_per_day if writable_bytes is None else writable_bytes)
        self._at_s = now_s

    def writable_bytes(self, now_s: float) -> float:
        """Return how much may be written now."""
        refilled_bytes = max(0.0, now_s - self._at_s) * self._max_bytes / _DAY_S
        self._writable_bytes = min(float(self._max_bytes), self._writable_bytes + refilled_bytes)
        self._at_s = now_s
        return self._writable_bytes

    def allows(self, num_bytes: int, now_s: float) -> bool:
        """Return whether so much may be written now."""
        return num_bytes <= self.writable_bytes(now_s)

    def take(self, num_bytes: int, now_s: float) -> None:
        """Note that so much was written."""
        self._writable_bytes = self.writable_bytes(now_s) - num_bytes
