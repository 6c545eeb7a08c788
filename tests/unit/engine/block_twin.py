"""A naive twin of the tree of blocks: kept prefixes in one list, looked through from end to end every time."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from appliance.engine.blocks import Block, block_end
from appliance.engine.prefix import Grid, Scope

SHORT_BLOCK_TOKENS = 4
"""What `blocks.BLOCK_TOKENS` is while a twin is beside a tree."""


def whole_tokens(block: Block, grid: Grid) -> tuple[int, ...]:
    chain = block.chain() if grid.can_truncate else [block]
    return tuple(token for each in chain for token in each.tokens.tolist())


def block_ends(start: int, end: int, grid: Grid) -> list[int]:
    """Return where all blocks between two positions end."""
    tokens = np.zeros(end, np.int32)
    ends = [block_end(start, tokens, grid)]
    while ends[-1] < end:
        ends.append(block_end(ends[-1], tokens, grid))
    return ends


@dataclass
class Kept:
    """A block as the twin sees it: everything up to its end, and what it has been worth."""

    scope: Scope
    start: int
    tokens: tuple[int, ...]
    worth: float
    is_in_memory: bool = True
    disk_bytes: int = 0
    num_locks: int = 0
    saved_tokens: int = 0

    @property
    def end(self) -> int:
        return len(self.tokens)


class Twin:
    """The list, and the same rules of what goes first."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.kept: list[Kept] = []
        self.age = 0.0

    def get(self, scope: Scope, tokens: tuple[int, ...]) -> Kept | None:
        return next((k for k in self.kept if (k.scope, k.tokens) == (scope, tokens)), None)

    def of(self, block: Block, scope: Scope) -> Kept:
        kept = self.get(scope, whole_tokens(block, self.grid))
        assert kept is not None
        return kept

    def num_found(self, scope: Scope, prompt: tuple[int, ...]) -> int:
        lengths = [0]
        for kept in self.kept:
            if kept.scope == scope:
                shared = min(common(kept.tokens, prompt), len(prompt) - 1)
                if self.grid.can_truncate:
                    lengths.append(min(shared, kept.end) // self.grid.num_tokens * self.grid.num_tokens)
                elif shared == kept.end:
                    lengths.append(shared)
        return max(lengths)

    def num_held(self, scope: Scope, tokens: tuple[int, ...]) -> int:
        held = 0
        for end in block_ends(0, len(tokens), self.grid):
            if self.get(scope, tokens[:end]) is None:
                break
            held = end
        return held

    def add(self, scope: Scope, start: int, tokens: tuple[int, ...]) -> None:
        self.kept.append(Kept(scope, start, tokens, self.age + 1.0))

    def followers(self, kept: Kept) -> list[Kept]:
        return [
            k
            for k in self.kept
            if self.grid.can_truncate
            and kept.end % SHORT_BLOCK_TOKENS == 0
            and k.scope == kept.scope
            and k.start >= kept.end
            and k.tokens[: kept.end] == kept.tokens
        ]

    def children(self, kept: Kept) -> list[Kept]:
        return [k for k in self.followers(kept) if k.start == kept.end]

    def superseded(self, scope: Scope, start: int, tokens: tuple[int, ...]) -> list[Kept]:
        return [
            k
            for k in self.kept
            if self.grid.can_truncate
            and not k.num_locks
            and (k.scope, k.start) == (scope, start)
            and k.end < len(tokens)
            and k.tokens == tokens[: k.end]
        ]

    def remove(self, kept: Kept) -> None:
        gone = [kept, *self.followers(kept)]
        self.kept = [k for k in self.kept if k not in gone]

    def use(self, kept: Kept, num_tokens: int) -> None:
        kept.saved_tokens += min(num_tokens, kept.end) - kept.start
        kept.worth = self.age + 1.0 + kept.saved_tokens / (kept.end - kept.start)

    def evict(self, chosen: Kept | None, may_go: Callable[[Kept], bool]) -> None:
        """Check that `chosen` is one of the cheapest that may go, and grow older."""
        candidates = [k for k in self.kept if may_go(k)]
        assert (chosen is None) == (not candidates)
        if chosen is not None:
            assert chosen in candidates
            assert chosen.worth == min(k.worth for k in candidates)
            self.age = max(self.age, chosen.worth)

    def may_leave_memory(self, kept: Kept) -> bool:
        is_needed = bool(kept.num_locks or self.children(kept))
        return kept.is_in_memory and (kept.disk_bytes > 0 or not is_needed)

    def may_leave_disk(self, kept: Kept) -> bool:
        needed_on_disk = any(child.disk_bytes or not kept.is_in_memory for child in self.children(kept))
        return kept.disk_bytes > 0 and not kept.num_locks and not needed_on_disk


def common(left: tuple[int, ...], right: tuple[int, ...]) -> int:
    return next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))
