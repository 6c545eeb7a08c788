"""Prefixes that left the KV cache for main memory, because idle cells slow every step there.

Owns the snapshots and their budget in bytes. Knows no handles: the engine takes snapshots and restores them.
"""

from collections import OrderedDict
from dataclasses import dataclass

from appliance.backends.base import Snapshot, TokenArray
from appliance.core.request import RequestId

from .prefix import Grid, common_prefix_tokens


@dataclass(frozen=True, slots=True, eq=False)
class OffloadedPrefix:
    """The KV of all of `tokens`, outside the cache."""

    owner: RequestId
    tokens: TokenArray
    snapshot: Snapshot

    @property
    def num_bytes(self) -> int:
        """Memory of the snapshot and of its tokens."""
        return sum(part.nbytes for part in self.snapshot.parts) + self.tokens.nbytes


class OffloadedPrefixes:
    """Snapshots in main memory, the least recently used dropped when the budget is spent."""

    def __init__(self, grid: Grid, max_bytes: int) -> None:
        self._grid = grid
        self._max_bytes = max_bytes
        self._num_bytes = 0
        self._prefixes: OrderedDict[int, OffloadedPrefix] = OrderedDict()

    def __len__(self) -> int:
        return len(self._prefixes)

    def insert(self, prefix: OffloadedPrefix) -> None:
        """Keep a snapshot in place of those that it continues; drop what the budget does not hold."""
        for held in list(self._prefixes.values()):
            if common_prefix_tokens(held.tokens, prefix.tokens) == len(held.tokens):
                self.remove(held)
        self._prefixes[id(prefix)] = prefix
        self._num_bytes += prefix.num_bytes
        while self._num_bytes > self._max_bytes:
            self.remove(next(iter(self._prefixes.values())))

    def remove(self, prefix: OffloadedPrefix) -> None:
        """Forget a snapshot."""
        del self._prefixes[id(prefix)]
        self._num_bytes -= prefix.num_bytes

    def match(self, tokens: TokenArray, *, owner: RequestId | None = None) -> tuple[OffloadedPrefix | None, int]:
        """Return what shares most with `tokens`, and how much of it can be used, leaving the last token to compute."""
        limit = len(tokens) - 1
        best, most = None, 0
        for prefix in self._prefixes.values():
            if owner is not None and prefix.owner != owner:
                continue
            shared = min(common_prefix_tokens(prefix.tokens, tokens), limit)
            usable = self._grid.usable_tokens(shared, len(prefix.tokens))
            if usable > most:
                best, most = prefix, usable
        if best is not None:
            self._prefixes.move_to_end(id(best))
        return best, most

    def check_integrity(self) -> None:
        """Assert what must always hold. For tests."""
        assert self._num_bytes == sum(prefix.num_bytes for prefix in self._prefixes.values()) <= self._max_bytes
        assert all(prefix.snapshot.num_tokens == len(prefix.tokens) for prefix in self._prefixes.values())
