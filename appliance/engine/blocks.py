"""The tree of kept prefixes: what was computed once, cut into blocks, wherever its bytes lie. No I/O, no KV memory.

A prefix is a chain of blocks that end on multiples of `BLOCK_TOKENS` tokens, and one shorter tail, so that prompts
which begin alike share their first blocks, and a conversation that grew adds only what is new. Each block is named by
the digest of all tokens up to its end. Where a model's state cannot be cut, a block is a checkpoint: everything from
position 0.

What goes first when space is short is decided by GreedyDual-Size-Frequency: the tokens that a block has saved for each
of its own, on top of an age that rises with every eviction, so that what was once popular grows old, too.
Source: L. Cherkasova, "Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency Caching Policy", 1998.
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from appliance.backends.base import Snapshot, TokenArray
from appliance.backends.media_keys import end_of_medium

from .prefix import KEY_BYTES, Grid, Scope, common_prefix_tokens

BLOCK_TOKENS = 256
"""A multiple of every backend's grid; 3 MB in the shape of a 0.5B model."""

_NO_TOKENS = np.empty(0, np.int32)


@dataclass(slots=True, eq=False)
class Block:
    """The KV of `tokens`, which follow those of `parent`. Its bytes are in memory (`snapshot`), on disk, or both.

    `layout` is the backend's name of the bytes. Locked blocks are needed by somebody who will come back for them, and
    are not evicted.
    """

    key: bytes
    parent: "Block | None"
    start: int
    tokens: TokenArray
    layout: str
    snapshot: Snapshot | None = None
    disk_bytes: int = 0
    num_locks: int = 0
    saved_tokens: int = 0
    worth: float = 0.0
    children: dict[bytes, "Block"] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """The position behind the last token."""
        return self.start + len(self.tokens)

    @property
    def memory_bytes(self) -> int:
        """Main memory that the snapshot takes."""
        return 0 if self.snapshot is None else sum(part.nbytes for part in self.snapshot.parts)

    def chain(self) -> list["Block"]:
        """Return the blocks from the first to this one, without the root."""
        blocks: list[Block] = []
        block = self
        while block.parent is not None:
            blocks.append(block)
            block = block.parent
        return blocks[::-1]


@dataclass(frozen=True, slots=True)
class Found:
    """The blocks that begin a prompt, and how many of its tokens they answer: all but perhaps a part of the last."""

    blocks: tuple[Block, ...] = ()
    num_tokens: int = 0


def block_key(parent: bytes, tokens: TokenArray) -> bytes:
    """Return the name of a block: a digest of everything up to its end."""
    content = parent + tokens.astype("<i4", copy=False).tobytes()
    return blake2b(content, digest_size=KEY_BYTES).digest()


def block_end(start: int, tokens: TokenArray, grid: Grid) -> int:
    """Return where the block of `tokens` ends that begins at `start`: where state cannot be cut, with the last.

    A block that would end within a medium has the rest of it, too; the next one is the shorter.
    """
    if not grid.can_truncate:
        return len(tokens)
    return end_of_medium(tokens, min(start // BLOCK_TOKENS * BLOCK_TOKENS + BLOCK_TOKENS, len(tokens)))


class BlockTree:
    """All blocks of one model, with the sums of what they take."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._roots: dict[Scope, Block] = {}
        self._blocks: dict[bytes, Block] = {}
        self._age = 0.0
        self.memory_bytes = 0
        self.disk_bytes = 0

    def __len__(self) -> int:
        return len(self._blocks)

    def __iter__(self) -> Iterator[Block]:
        return iter(self._blocks.values())

    def get(self, key: bytes) -> Block | None:
        """Return a block by its name."""
        return self._blocks.get(key)

    def root(self, scope: Scope) -> Block:
        """Return the root of a scope, which has no tokens."""
        return self._roots.setdefault(scope, Block(scope.key, None, 0, _NO_TOKENS, ""))

    # Finding

    def find(self, scope: Scope, tokens: TokenArray) -> Found:
        """Return what is kept of `tokens`, leaving at least the last one to compute."""
        block, path, limit = self._roots.get(scope), list[Block](), len(tokens) - 1
        num_tokens = 0
        while block is not None and block.children:
            end = block_end(block.end, tokens, self._grid)
            whole = block.children.get(block_key(block.key, tokens[block.end : end]))
            if whole is not None and whole.end <= limit and self._grid.can_truncate:
                path.append(whole)
                num_tokens, block = whole.end, whole
                continue
            last, usable = self._longest(block, tokens, limit)
            if last is not None and usable > num_tokens:
                path.append(last)
                num_tokens = usable
            break
        return Found(tuple(path), num_tokens)

    def _longest(self, parent: Block, tokens: TokenArray, limit: int) -> tuple[Block | None, int]:
        best, most = None, 0
        for child in parent.children.values():
            shared = child.start + common_prefix_tokens(child.tokens, tokens[child.start :])
            usable = self._grid.usable_tokens(min(shared, limit), child.end, tokens)
            if usable > most:
                best, most = child, usable
        return best, most

    def held(self, scope: Scope, tokens: TokenArray) -> Block:
        """Return the last block of the longest chain that `tokens` contain whole; the root where there is none."""
        block = self.root(scope)
        while True:
            following = tokens[block.end : block_end(block.end, tokens, self._grid)]
            child = block.children.get(block_key(block.key, following)) if len(following) else None
            if child is None:
                return block
            block = child

    # Changing

    def add(self, parent: Block, tokens: TokenArray, layout: str) -> Block:
        """Return the block of these tokens behind `parent`, a new one if it was not known. It may have no bytes yet."""
        key = block_key(parent.key, tokens)
        block = self._blocks.get(key)
        if block is None:
            start = parent.end if self._grid.can_truncate else 0
            block = Block(key, parent, start, tokens.copy(), layout, worth=self._age + 1.0)
            self._blocks[key] = parent.children[key] = block
        return block

    def set_snapshot(self, block: Block, snapshot: Snapshot) -> None:
        """Hold a block's bytes in memory."""
        self.memory_bytes -= block.memory_bytes
        block.snapshot = snapshot
        self.memory_bytes += block.memory_bytes

    def set_disk_bytes(self, block: Block, disk_bytes: int) -> None:
        """Note how much of the disk a block takes; 0 when it is not there, or not there any more."""
        self.disk_bytes += disk_bytes - block.disk_bytes
        block.disk_bytes = disk_bytes

    def use(self, found: Found) -> None:
        """Note that a prompt was answered by these blocks: they are worth keeping."""
        for block in found.blocks:
            block.saved_tokens += min(found.num_tokens, block.end) - block.start
            block.worth = self._age + 1.0 + block.saved_tokens / len(block.tokens)

    def drop_snapshot(self, block: Block) -> None:
        """Forget the bytes in memory; the block itself stays while it is on disk."""
        self.memory_bytes -= block.memory_bytes
        block.snapshot = None
        if not block.disk_bytes:
            self.remove(block)

    def remove(self, block: Block) -> list[Block]:
        """Forget a block and all that follow it; return them, so that their files can go, too."""
        removed = [block]
        for each in removed:
            removed += each.children.values()
        for each in removed:
            self.memory_bytes -= each.memory_bytes
            self.disk_bytes -= each.disk_bytes
            del self._blocks[each.key]
        assert block.parent is not None, "a root is never removed"
        del block.parent.children[block.key]
        return removed

    def forget(self, scope: Scope) -> None:
        """Forget a scope with all its blocks."""
        root = self._roots.pop(scope, None)
        for block in list(root.children.values()) if root is not None else ():
            self.remove(block)

    def storable(self) -> list[Block]:
        """Return the blocks that are for everybody, each after the one that it follows."""
        level = [
            block for scope, root in self._roots.items() if not scope.is_private for block in root.children.values()
        ]
        blocks: list[Block] = []
        while level:
            blocks += level
            level = [child for block in level for child in block.children.values()]
        return blocks

    def superseded(self, block: Block) -> Sequence[Block]:
        """Return the shorter tails beside `block` whose tokens it begins with: nobody needs them any more."""
        assert block.parent is not None
        if not self._grid.can_truncate:
            return ()
        return [
            other
            for other in block.parent.children.values()
            if other is not block
            and not other.num_locks
            and len(other.tokens) < len(block.tokens)
            and common_prefix_tokens(other.tokens, block.tokens) == len(other.tokens)
        ]

    # Evicting

    def cheapest_in_memory(self, spared: Container[bytes] = ()) -> Block | None:
        """Return what memory can do without best: what is also on disk, or what nobody needs and nothing builds on.

        Blocks whose keys are `spared` stay."""
        return self._cheapest(
            b
            for b in self
            if b.snapshot is not None and (b.disk_bytes or not (b.children or b.num_locks)) and b.key not in spared
        )

    def cheapest_on_disk(self) -> Block | None:
        """Return what the disk can do without best; a block stays as long as others on disk, or only here, need it."""
        return self._cheapest(
            b
            for b in self
            if b.disk_bytes
            and not b.num_locks
            and not any(child.disk_bytes or b.snapshot is None for child in b.children.values())
        )

    def _cheapest(self, candidates: Iterator[Block]) -> Block | None:
        block = min(candidates, key=lambda b: b.worth, default=None)
        if block is not None:
            self._age = max(self._age, block.worth)
        return block

    def check_integrity(self) -> None:
        """Assert what must always hold. For tests."""
        assert self.memory_bytes == sum(block.memory_bytes for block in self)
        assert self.disk_bytes == sum(block.disk_bytes for block in self)
        for key, block in self._blocks.items():
            assert block.parent is not None and block.parent.children[key] is block
            assert block.key == key == block_key(block.parent.key, block.tokens)
            assert block.snapshot is not None or block.disk_bytes
            assert block.start == (block.parent.end if self._grid.can_truncate else 0)
            assert block.snapshot is None or block.snapshot.num_tokens == len(block.tokens)
            is_tail = block.end % BLOCK_TOKENS != 0 and block.tokens[-1] >= 0
            assert not self._grid.can_truncate or not block.children or not is_tail
