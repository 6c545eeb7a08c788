"""The prefix index: which sequence holds which tokens, so that no prompt is computed twice.

Owns the record of what every handle holds and which handles are merely retained. Knows nothing of KV memory: the
engine copies, truncates and frees. At most `max_sequences` handles exist, so a scan that compares arrays is both
simpler and faster than a tree: one comparison of 32,000 tokens takes some microseconds.
"""

from collections.abc import Container
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from appliance.backends.base import TokenArray
from appliance.backends.media_keys import begin_of_medium

KEY_BYTES = 16
"""Of the digests that name scopes and blocks."""


class Scope(NamedTuple):
    """Whose prefixes a prompt may use. What is computed in different scopes never meets; a private one is not kept."""

    key: bytes
    is_private: bool = False


def scope_of(*names: str, is_private: bool = False) -> Scope:
    """Return the scope with these names; without any it is everybody's."""
    return Scope(blake2b("\0".join(names).encode(), digest_size=KEY_BYTES).digest(), is_private)


EVERYBODY = scope_of()


@dataclass(slots=True)
class Entry:
    """What one handle holds: the first `num_tokens` of `tokens`, which its sequence means to fill to `num_planned`.

    A locked entry belongs to a running sequence; an unlocked one is retained and may be evicted. Entries of different
    scopes never meet, whatever their tokens.
    """

    handle: int
    scope: Scope
    tokens: TokenArray
    num_tokens: int
    num_planned: int
    is_locked: bool
    last_used_s: float


@dataclass(frozen=True, slots=True)
class Match:
    """The longest prefix held already, `num_tokens` of `entry`; `num_coming` is what a prefill under way will hold."""

    entry: Entry | None
    num_tokens: int
    num_coming: int


def common_prefix_tokens(left: TokenArray, right: TokenArray) -> int:
    """Return how many leading tokens two `(n,) int32` arrays share."""
    length = min(len(left), len(right))
    if length == 0 or left[0] != right[0]:
        return 0
    differs = left[:length] != right[:length]
    first = int(differs.argmax())
    return first if differs[first] else length


@dataclass(frozen=True, slots=True)
class Grid:
    """Where a match may end: on multiples of `num_tokens`, or, where state cannot be truncated, only at its end.

    Never within a medium.
    """

    num_tokens: int
    can_truncate: bool

    def usable_tokens(self, num_shared: int, num_held: int, tokens: TokenArray) -> int:
        """Return how much can be used of `num_held` tokens that share `num_shared` with a prompt of these `tokens`."""
        if not self.can_truncate:
            return num_held if num_shared >= num_held else 0
        num_tokens = min(num_shared, num_held)
        while True:
            on_grid = num_tokens - num_tokens % self.num_tokens
            num_tokens = begin_of_medium(tokens, on_grid)
            if num_tokens == on_grid:
                return num_tokens


class PrefixIndex:
    """Every handle in use, by the tokens it holds."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self._entries: dict[int, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def retained_tokens(self) -> int:
        """Tokens held by handles that no running sequence uses."""
        return sum(entry.num_tokens for entry in self._entries.values() if not entry.is_locked)

    def entry(self, handle: int) -> Entry:
        """Return what a handle in use holds."""
        return self._entries[handle]

    def insert(self, entry: Entry) -> None:
        """Record what a handle holds. The handle must be new."""
        assert entry.handle not in self._entries, f"handle {entry.handle} is in the index already"
        self._entries[entry.handle] = entry

    def extend(self, handle: int, num_tokens: int) -> None:
        """Record that a running sequence's handle now holds so many of its tokens."""
        entry = self._entries[handle]
        entry.num_tokens = num_tokens
        entry.num_planned = max(entry.num_planned, num_tokens)

    def release(self, handle: int, now_s: float) -> None:
        """Retain what a sequence leaves behind, until it is evicted."""
        entry = self._entries[handle]
        entry.is_locked = False
        entry.num_planned = entry.num_tokens
        entry.last_used_s = now_s

    def remove(self, handle: int) -> None:
        """Forget a handle."""
        del self._entries[handle]

    def match(self, tokens: TokenArray, scope: Scope) -> Match:
        """Return what is held of `tokens` in a scope, leaving at least the last one to compute."""
        limit = len(tokens) - 1
        best, held, coming = None, 0, 0
        for entry in self._entries.values():
            if entry.scope != scope:
                continue
            shared = min(common_prefix_tokens(entry.tokens[: entry.num_planned], tokens), limit)
            coming = max(coming, self.grid.usable_tokens(shared, entry.num_planned, tokens))
            usable = self.grid.usable_tokens(shared, entry.num_tokens, tokens)
            if usable > held:
                best, held = entry, usable
        return Match(best, held, coming)

    def oldest_retained(self, but: Container[int]) -> Entry | None:
        """Return the entry to evict next, retained and least recently used, but not of these handles."""
        retained = [entry for entry in self._entries.values() if not entry.is_locked and entry.handle not in but]
        return min(retained, key=lambda entry: entry.last_used_s, default=None)

    def num_retained(self) -> int:
        """Return how many handles are merely retained."""
        return sum(not entry.is_locked for entry in self._entries.values())

    def check_integrity(self) -> None:
        """Assert what must always hold of the index. For tests."""
        for handle, entry in self._entries.items():
            assert handle == entry.handle
            assert 0 <= entry.num_tokens <= entry.num_planned <= len(entry.tokens)
            assert entry.is_locked or entry.num_tokens > 0
            assert entry.tokens.dtype == np.int32
