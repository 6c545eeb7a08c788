"""A worker's part in keeping prefixes: cuts prompts into blocks whose bytes say which tokens they hold."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from appliance.backends.base import Snapshot, TokenArray
from appliance.caches.kv_folder import KvFolder
from appliance.engine.blocks import Block, Found
from appliance.engine.prefix import EVERYBODY, Grid, Scope
from appliance.engine.tiers import Limits, Tiers
from tests.unit.engine.block_twin import block_ends

GRID = Grid(1, can_truncate=True)
PLENTY = 2**20
TIMEOUT_S = 20.0


class Process:
    """What one worker does with the tiers; where there is no path, without a disk."""

    def __init__(
        self,
        path: Path | None = None,
        *,
        memory_bytes: int = PLENTY,
        disk_bytes: int = PLENTY,
        open_folder: Callable[[Path], KvFolder] = KvFolder,
    ) -> None:
        self._news = threading.Semaphore(0)
        folder = None if path is None else open_folder(path)
        self.tiers = Tiers(GRID, Limits(memory_bytes, disk_bytes), folder, self._news.release)

    def collect(self, num_news: int) -> None:
        """Wait until the helper thread has told so many times that something is done, and take it in."""
        for _ in range(num_news):
            assert self._news.acquire(timeout=TIMEOUT_S)
        self.tiers.collect()
        self.tiers.check_integrity()

    def keep(self, tokens: TokenArray, scope: Scope = EVERYBODY, *, is_locked: bool = False) -> Block | None:
        """Keep a prefix as the engine does."""
        block: Block | None = self.tiers.held(scope, tokens)
        assert block is not None
        for end in block_ends(block.end, len(tokens), GRID):
            part = tokens[block.end : end]
            snapshot = Snapshot(block.end, len(part), "test/1", (memoryview(part.tobytes()),))
            block = self.tiers.keep(scope, block, part, snapshot, is_locked=is_locked)
            self.tiers.check_integrity()
            if block is None:
                return None
        return block

    def num_found(self, tokens: TokenArray, scope: Scope = EVERYBODY) -> int:
        return self.tiers.find(scope, tokens).num_tokens

    def bring(self, tokens: TokenArray) -> TokenArray:
        """Find a prompt, fetch what is not in memory, use it, and return what its bytes say."""
        found = self.tiers.find(EVERYBODY, tokens)
        missing = [block for block in found.blocks if block.snapshot is None]
        if missing:
            assert not self.tiers.fetch(found)
            self.collect(len(missing))
            found = self.tiers.find(EVERYBODY, tokens)
        assert self.tiers.fetch(found)
        content = contents(found)
        self.tiers.use(found)
        self.tiers.check_integrity()
        return content


def contents(found: Found) -> TokenArray:
    parts = [block.snapshot.parts[0] for block in found.blocks if block.snapshot is not None]
    joined = b"".join(bytes(part) for part in parts)
    return np.frombuffer(joined, np.int32)[: found.num_tokens]


def prompt(seed: int, num_tokens: int) -> TokenArray:
    return np.random.default_rng(seed).integers(0, 2**31 - 1, num_tokens, np.int32)


def files(path: Path) -> list[Path]:
    return sorted(path.glob("*.kv"))
