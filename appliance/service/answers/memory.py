"""The answers that were used last, in main memory, below a budget of bytes."""

from collections import OrderedDict
from dataclasses import dataclass

from .kept import KeptAnswer

_OVERHEAD_RATIO = 4
"""What events take as objects, for each byte that they take when written."""


@dataclass(frozen=True, slots=True)
class MemoryEntry:
    """An answer, until when it may be used (Unix time), and what it takes."""

    answer: KeptAnswer
    expires_s: float
    size_bytes: int


class RecentAnswers:
    """A least-recently-used map from names to answers."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.size_bytes = 0
        self._entries: OrderedDict[str, MemoryEntry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, name: str, now_s: float) -> KeptAnswer | None:
        """Return the answer of that name and count it as used now; None when there is none, or it is too old."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        if entry.expires_s <= now_s:
            self.drop(name)
            return None
        self._entries.move_to_end(name)
        return entry.answer

    def put(self, name: str, answer: KeptAnswer, expires_s: float, written_bytes: int) -> None:
        """Keep an answer; the ones that were not used for the longest time make room for it."""
        size_bytes = written_bytes * _OVERHEAD_RATIO
        self.drop(name)
        if size_bytes > self.max_bytes // 8:
            return
        self._entries[name] = MemoryEntry(answer, expires_s, size_bytes)
        self.size_bytes += size_bytes
        while self.size_bytes > self.max_bytes:
            _, oldest = self._entries.popitem(last=False)
            self.size_bytes -= oldest.size_bytes

    def drop(self, name: str) -> None:
        """Forget an answer."""
        entry = self._entries.pop(name, None)
        if entry is not None:
            self.size_bytes -= entry.size_bytes

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()
        self.size_bytes = 0

    def check_integrity(self) -> None:
        """Raise AssertionError where the count of bytes is wrong or past the budget."""
        assert self.size_bytes == sum(entry.size_bytes for entry in self._entries.values())
        assert self.size_bytes <= self.max_bytes
