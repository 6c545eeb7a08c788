"""Kept prefixes in main memory and on disk: what moves where, and when. Knows blocks and files; no sequence, no model.

Owned by the step thread, which never waits for the disk: files are read and written by one helper thread, and what it
brought is taken in by `collect`. A prefix that is only on disk is fetched first and used then.
"""

from collections.abc import Callable
from typing import NamedTuple

from appliance.backends.base import Snapshot, TokenArray
from appliance.caches.kv_folder import KvFolder

from .block_files import BlockFiles, Read, Written
from .blocks import Block, BlockTree, Found
from .prefix import Grid, Scope

MIN_STORED_TOKENS = 256
"""What is computed again in a moment is not worth a write."""

_MAX_UNWRITTEN_BYTES = 2**28  # a disk that cannot follow must not hold the memory that it was to relieve
_FLUSH_TIMEOUT_S = 4.0  # the daemon grows impatient after five
_PATIENCE = 256  # what a prompt waits for stays in memory until so many others have looked, and it has not asked again


class Limits(NamedTuple):
    """Bytes that prefixes may take in main memory and on disk."""

    memory_bytes: int
    disk_bytes: int


class Tiers:
    """The tree of blocks, its budgets, and the thread that works on its files."""

    def __init__(self, grid: Grid, limits: Limits, folder: KvFolder | None, wake: Callable[[], None]) -> None:
        """Take over what an earlier process left in the folder. `wake` is called on the helper thread after news."""
        self._tree = BlockTree(grid)
        self._limits = limits
        self._files = None if folder is None else BlockFiles(folder, wake)
        self._unwritten_bytes = 0
        self._writing: dict[bytes, Block] = {}
        self._reading: set[bytes] = set()
        self._awaited: dict[bytes, int] = {}  # what was fetched and not used yet -> the look at which it may go
        self._num_looks = 0
        if folder is not None:
            self._take_stock(folder)

    @property
    def memory_bytes(self) -> int:
        """Main memory that snapshots take now."""
        return self._tree.memory_bytes

    @property
    def disk_bytes(self) -> int:
        """Disk space that snapshots take now."""
        return self._tree.disk_bytes

    def forget(self, scope: Scope) -> None:
        """Forget what a private request left."""
        self._tree.forget(scope)

    # Using

    def find(self, scope: Scope, tokens: TokenArray) -> Found:
        """Return what is kept of a prompt, wherever it is."""
        return self._tree.find(scope, tokens)

    def parked(self, block: Block) -> Found | None:
        """Return the whole chain up to a block that was locked, None if a part of it was lost on the way."""
        chain = block.chain()
        is_whole = all(self._tree.get(each.key) is each for each in chain)
        return Found(tuple(chain), block.end) if is_whole else None

    def fetch(self, found: Found) -> bool:
        """Return whether all bytes are in memory; if not, they are being read, and `wake` will tell.

        What is there stays until `use`, whatever the budget says: room is made for whoever asked before he takes it.
        """
        self._awaited.update((block.key, self._num_looks + _PATIENCE) for block in found.blocks)
        missing = [block for block in found.blocks if block.snapshot is None]
        for block in missing:
            if block.key not in self._reading and self._files is not None:
                self._reading.add(block.key)
                self._files.read(block.key)
        return not missing

    def use(self, found: Found) -> None:
        """Note that a prompt was answered by these blocks."""
        self._tree.use(found)
        if self._files is not None:
            for block in found.blocks:
                if block.disk_bytes:
                    self._files.touch(block.key)
        for block in found.blocks:
            self._awaited.pop(block.key, None)
        self._shrink()

    def drop(self, block: Block) -> None:
        """Forget a block that the model did not accept, with all that follow it."""
        for each in self._tree.remove(block):
            self._remove_file(each)

    # Keeping

    def held(self, scope: Scope, tokens: TokenArray) -> Block:
        """Return the last block of these tokens that is kept, or the root."""
        return self._tree.held(scope, tokens)

    def keep(
        self, scope: Scope, parent: Block, tokens: TokenArray, snapshot: Snapshot, *, is_locked: bool = False
    ) -> Block | None:
        """Keep a block, in memory at once and on disk soon. Returns None where the budget does not hold it.

        With `is_locked` it is kept whatever the budget says, until `unlock`.
        """
        block = self._tree.add(parent, tokens, snapshot.layout)
        block.num_locks += is_locked
        self._tree.set_snapshot(block, snapshot)
        if not scope.is_private:
            self._store(block)
        for shorter in self._tree.superseded(block):
            self.drop(shorter)
        self._shrink()
        return block if self._tree.get(block.key) is block else None

    def lock(self, block: Block) -> None:
        """Keep a chain until `unlock`: somebody will come back for it."""
        for each in block.chain():
            each.num_locks += 1

    def unlock(self, block: Block) -> None:
        """Let a chain go like any other."""
        for each in block.chain():
            each.num_locks -= 1
        self._shrink()

    def clear_memory(self) -> None:
        """Give back all main memory that can be given back."""
        self._awaited.clear()
        while (block := self._tree.cheapest_in_memory()) is not None:
            self._tree.drop_snapshot(block)

    def _shrink(self) -> None:
        while self._tree.memory_bytes > self._limits.memory_bytes:
            block = self._tree.cheapest_in_memory(self._awaited)
            if block is None:
                break
            self._tree.drop_snapshot(block)
        while self._tree.disk_bytes > self._limits.disk_bytes:
            block = self._tree.cheapest_on_disk()
            if block is None:
                break
            self._remove_file(block)
            self._tree.set_disk_bytes(block, 0)
            if block.snapshot is None:
                self._tree.remove(block)

    # The disk

    def _store(self, block: Block, *, is_last: bool = False) -> None:
        snapshot = block.snapshot
        if self._files is None or snapshot is None or block.disk_bytes or block.key in self._writing:
            return
        parent = block.parent
        is_reachable = parent is not None and (
            parent.parent is None or parent.disk_bytes or parent.key in self._writing
        )
        num_bytes = block.memory_bytes
        if not is_reachable or block.end < MIN_STORED_TOKENS:
            return
        if self._unwritten_bytes + num_bytes > _MAX_UNWRITTEN_BYTES and not is_last:
            return
        self._unwritten_bytes += num_bytes
        self._writing[block.key] = block
        block.num_locks += 1
        self._files.write(block, snapshot)

    def collect(self) -> None:
        """Take in what the helper thread did, and let go what nobody has asked for again."""
        self._num_looks += 1
        for key in [key for key, last_look in self._awaited.items() if last_look < self._num_looks]:
            del self._awaited[key]
        for news in self._files.news() if self._files is not None else ():
            if isinstance(news, Written):
                self._written(news)
            else:
                self._read(news)
        self._shrink()

    def _written(self, news: Written) -> None:
        self._unwritten_bytes -= news.memory_bytes
        block = self._writing.pop(news.key)
        block.num_locks -= 1
        if self._tree.get(news.key) is block:  # else it was dropped while it was written, and its file is to go
            self._tree.set_disk_bytes(block, news.disk_bytes)

    def _read(self, news: Read) -> None:
        self._reading.discard(news.key)
        block = self._tree.get(news.key)
        if block is None:
            return
        if news.parts is None:
            self._tree.set_disk_bytes(block, 0)
            if block.snapshot is None:
                self.drop(block)
        elif block.snapshot is None:
            self._tree.set_snapshot(block, Snapshot(block.start, len(block.tokens), block.layout, news.parts))

    def _take_stock(self, folder: KvFolder) -> None:
        """Put what an earlier process left on disk into the tree, worth less than anything new, by its last use."""
        known: dict[bytes, Block] = {}
        found = folder.scan()
        by_use = sorted(found, key=lambda stored: stored.used_s)
        worths = {stored.key: rank / len(found) for rank, stored in enumerate(by_use)}
        for stored in found:
            parent = known.get(stored.parent) or self._tree.root(Scope(stored.parent))  # what begins a scope: see scan
            block = known[stored.key] = self._tree.add(parent, stored.tokens, stored.layout)
            self._tree.set_disk_bytes(block, stored.num_bytes)
            block.worth = worths[stored.key]
        self._shrink()

    def _remove_file(self, block: Block) -> None:
        if self._files is not None and (block.disk_bytes or block.key in self._writing):
            self._files.remove(block.key)

    def close(self) -> None:
        """Write what memory holds and the disk does not, and end the helper thread."""
        if self._files is None:
            return
        for block in self._tree.storable():
            self._store(block, is_last=True)
        self._files.close(_FLUSH_TIMEOUT_S)

    def check_integrity(self) -> None:
        """Assert what must always hold. For tests."""
        self._tree.check_integrity()
        assert self._tree.memory_bytes <= self._limits.memory_bytes or any(
            block.num_locks or block.key in self._awaited for block in self._tree
        )
