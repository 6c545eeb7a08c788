"""The tree of blocks against a naive twin: a list of kept prefixes that is compared token by token."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from appliance.backends.base import Snapshot, TokenArray
from appliance.engine import blocks
from appliance.engine.blocks import Block, BlockTree, Found
from appliance.engine.prefix import EVERYBODY, Grid, Scope, scope_of
from tests.unit.engine.block_twin import SHORT_BLOCK_TOKENS, Kept, Twin, block_ends, whole_tokens

PRIVATE = scope_of("private", "r", is_private=True)
WHOLE = Grid(1, can_truncate=False)


@pytest.fixture
def _short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_TOKENS", SHORT_BLOCK_TOKENS)


def array(tokens: Iterable[int]) -> TokenArray:
    return np.array(list(tokens), np.int32)


def snapshot(block: Block) -> Snapshot:
    return Snapshot(block.start, len(block.tokens), block.layout, (memoryview(bytes(4 * len(block.tokens))),))


def keep(tree: BlockTree, tokens: Iterable[int], grid: Grid, scope: Scope = EVERYBODY) -> Block:
    """Keep a prefix as the engine does: what is held already stays, and the rest is cut into blocks."""
    whole = array(tokens)
    block = tree.held(scope, whole)
    ends = block_ends(block.end, len(whole), grid) if block.end < len(whole) else []
    for end in ends:
        block = tree.add(block, whole[block.end : end], "layout")
        tree.set_snapshot(block, snapshot(block))
    return block


def found_tokens(tree: BlockTree, tokens: Iterable[int], scope: Scope = EVERYBODY) -> int:
    return tree.find(scope, array(tokens)).num_tokens


prompts = st.lists(st.integers(0, 1), min_size=1, max_size=14).map(tuple)
scopes = st.sampled_from([EVERYBODY, EVERYBODY, EVERYBODY, PRIVATE])
picks = st.integers(0, 10_000)


class BlockMachine(RuleBasedStateMachine):
    """Does the same to the tree and to the twin."""

    grid = Grid(1, can_truncate=True)

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(blocks, "BLOCK_TOKENS", SHORT_BLOCK_TOKENS)
        self.tree, self.twin = BlockTree(self.grid), Twin(self.grid)

    def teardown(self) -> None:
        self.patch.undo()

    def scope(self, block: Block) -> Scope:
        first = block.chain()[0].parent
        return PRIVATE if first is self.tree.root(PRIVATE) else EVERYBODY

    def kept(self, block: Block | None) -> Kept | None:
        return None if block is None else self.twin.of(block, self.scope(block))

    def pick(self, number: int) -> tuple[Block, Kept]:
        every = list(self.tree)
        block = every[number % len(every)]
        return block, self.twin.of(block, self.scope(block))

    @rule(scope=scopes, prompt=prompts)
    def insert(self, scope: Scope, prompt: tuple[int, ...]) -> None:
        block = self.tree.held(scope, array(prompt))
        assert block.end == self.twin.num_held(scope, prompt)
        if block.end == len(prompt):
            return
        for end in block_ends(block.end, len(prompt), self.grid):
            self.twin.add(scope, block.end, prompt[:end])
            block = self.tree.add(block, array(prompt[block.end : end]), "layout")
            self.tree.set_snapshot(block, snapshot(block))
            expected = self.twin.superseded(scope, block.start, prompt[:end])
            superseded = self.tree.superseded(block)
            assert len(superseded) == len(expected)
            for shorter in superseded:
                assert self.twin.of(shorter, scope) in expected
                self.twin.remove(self.twin.of(shorter, scope))
                self.tree.remove(shorter)

    @rule(scope=scopes, prompt=prompts, is_used=st.booleans())
    def find(self, scope: Scope, prompt: tuple[int, ...], is_used: bool) -> None:
        found = self.tree.find(scope, array(prompt))
        assert found.num_tokens == self.twin.num_found(scope, prompt)
        if found.blocks:
            assert whole_tokens(found.blocks[-1], self.grid)[: found.num_tokens] == prompt[: found.num_tokens]
            assert list(found.blocks) == found.blocks[-1].chain()
        if is_used:
            self.tree.use(found)
            for block in found.blocks:
                self.twin.use(self.twin.of(block, scope), found.num_tokens)

    @precondition(lambda self: len(self.tree) > 0)
    @rule(number=picks, disk_bytes=st.integers(1, 9))
    def write(self, number: int, disk_bytes: int) -> None:
        block, kept = self.pick(number)
        self.tree.set_disk_bytes(block, disk_bytes)
        kept.disk_bytes = disk_bytes

    @precondition(lambda self: len(self.tree) > 0)
    @rule(number=picks)
    def bring_back(self, number: int) -> None:
        block, kept = self.pick(number)
        self.tree.set_snapshot(block, snapshot(block))
        kept.is_in_memory = True

    @precondition(lambda self: len(self.tree) > 0)
    @rule(number=picks)
    def lock_or_unlock(self, number: int) -> None:
        block, kept = self.pick(number)
        block.num_locks = kept.num_locks = 1 - block.num_locks

    @rule()
    def evict_from_memory(self) -> None:
        block = self.tree.cheapest_in_memory()
        kept = self.kept(block)
        self.twin.evict(kept, self.twin.may_leave_memory)
        if block is not None and kept is not None:
            self.tree.drop_snapshot(block)
            kept.is_in_memory = False
            if not kept.disk_bytes:
                self.twin.remove(kept)

    @rule()
    def evict_from_disk(self) -> None:
        block = self.tree.cheapest_on_disk()
        kept = self.kept(block)
        self.twin.evict(kept, self.twin.may_leave_disk)
        if block is not None and kept is not None:
            self.tree.set_disk_bytes(block, 0)
            kept.disk_bytes = 0
            if not kept.is_in_memory:
                self.twin.remove(kept)
                self.tree.remove(block)

    @precondition(lambda self: len(self.tree) > 0)
    @rule(number=picks)
    def lose(self, number: int) -> None:
        block, kept = self.pick(number)
        gone = {each.key for each in self.tree.remove(block)}
        assert block.key in gone and len(gone) == 1 + len(self.twin.followers(kept))
        self.twin.remove(kept)

    @rule()
    def forget_the_private_scope(self) -> None:
        self.tree.forget(PRIVATE)
        self.twin.kept = [k for k in self.twin.kept if k.scope != PRIVATE]

    @invariant()
    def both_keep_the_same(self) -> None:
        self.tree.check_integrity()
        assert len(self.tree) == len(self.twin.kept)
        for block in self.tree:
            kept = self.twin.of(block, self.scope(block))
            assert (block.start, block.end) == (kept.start, kept.end)
            assert (block.snapshot is not None, block.disk_bytes) == (kept.is_in_memory, kept.disk_bytes)
            assert block.worth == kept.worth

    @invariant()
    def what_is_storable_is_for_everybody_and_each_comes_after_the_one_it_follows(self) -> None:
        storable = self.tree.storable()
        assert len(storable) == sum(k.scope == EVERYBODY for k in self.twin.kept)
        places = {block.key: place for place, block in enumerate(storable)}
        for block in storable:
            assert self.scope(block) == EVERYBODY
            assert block.parent is not None and places.get(block.parent.key, -1) < places[block.key]


class GridMachine(BlockMachine):
    """A model that takes chunks of two tokens."""

    grid = Grid(2, can_truncate=True)


class CheckpointMachine(BlockMachine):
    """A model whose state cannot be cut."""

    grid = WHOLE


MACHINE_SETTINGS = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestBlocks = BlockMachine.TestCase
TestGrid = GridMachine.TestCase
TestCheckpoints = CheckpointMachine.TestCase
for case in (TestBlocks, TestGrid, TestCheckpoints):
    case.settings = MACHINE_SETTINGS


def test_a_prefix_is_cut_at_multiples_of_the_block_from_its_very_beginning() -> None:
    grid = Grid(64, can_truncate=True)
    assert block_ends(0, 600, grid) == [256, 512, 600]
    assert block_ends(256, 512, grid) == [512]
    assert block_ends(512, 530, grid) == [530]
    assert block_ends(0, 600, WHOLE) == [600]


def test_prompts_that_begin_alike_share_their_first_blocks() -> None:
    grid = Grid(1, can_truncate=True)
    tree = BlockTree(grid)
    system = [7] * 512
    keep(tree, system + [1] * 100, grid)
    keep(tree, system + [2] * 100, grid)
    assert len(tree) == 4
    assert tree.memory_bytes == 4 * (512 + 100 + 100)
    assert found_tokens(tree, [*system, 2, 2, 2, 9]) == 515


def test_the_last_token_of_a_prompt_is_left_to_compute_though_all_of_it_is_kept() -> None:
    grid = Grid(1, can_truncate=True)
    tree = BlockTree(grid)
    keep(tree, range(512), grid)
    assert found_tokens(tree, range(512)) == 511
    assert found_tokens(tree, range(257)) == 256


def test_a_private_prefix_is_found_in_its_own_scope_only() -> None:
    grid = Grid(1, can_truncate=True)
    tree = BlockTree(grid)
    keep(tree, range(300), grid, PRIVATE)
    assert found_tokens(tree, range(400)) == 0
    assert found_tokens(tree, range(400), PRIVATE) == 300
    assert found_tokens(tree, range(400), scope_of("private", "other", is_private=True)) == 0


@pytest.mark.usefixtures("_short_blocks")
def test_the_longer_tail_of_a_conversation_takes_the_place_of_the_shorter() -> None:
    grid = Grid(1, can_truncate=True)
    tree = BlockTree(grid)
    shorter = keep(tree, [1, 1, 1, 1, 2, 2], grid)
    other = keep(tree, [1, 1, 1, 1, 3], grid)
    longer = keep(tree, [1, 1, 1, 1, 2, 2, 2], grid)
    assert tree.superseded(longer) == [shorter]
    assert tree.superseded(other) == []
    shorter.num_locks = 1
    assert tree.superseded(longer) == []


def test_checkpoints_stay_beside_longer_ones() -> None:
    tree = BlockTree(WHOLE)
    keep(tree, [1, 2], WHOLE)
    longer = keep(tree, [1, 2, 3], WHOLE)
    assert tree.superseded(longer) == ()
    assert found_tokens(tree, [1, 2, 3, 4]) == 3
    assert found_tokens(tree, [1, 2, 3]) == 2


@pytest.mark.usefixtures("_short_blocks")
def test_what_is_spared_stays_though_it_is_the_cheapest() -> None:
    grid = Grid(1, can_truncate=True)
    tree = BlockTree(grid)
    first, second = keep(tree, [1, 1], grid), keep(tree, [2, 2], grid)
    tree.use(Found((second,), 2))
    assert tree.cheapest_in_memory() is first
    assert tree.cheapest_in_memory({first.key}) is second
    assert tree.cheapest_in_memory({first.key, second.key}) is None


@pytest.mark.usefixtures("_short_blocks")
def test_a_block_stays_on_disk_while_one_that_follows_it_is_in_memory_and_it_is_not() -> None:
    grid = Grid(1, can_truncate=True)
    tree = BlockTree(grid)
    last = keep(tree, [1, 1, 1, 1, 2, 2], grid)
    first = last.chain()[0]
    tree.set_disk_bytes(first, 9)
    assert tree.cheapest_on_disk() is first
    tree.drop_snapshot(first)
    assert tree.cheapest_on_disk() is None


# What goes first: the tokens saved for each token kept, and age.


def used(tree: BlockTree, block: Block, times: int) -> Block:
    for _ in range(times):
        tree.use(Found((block,), block.end))
    return block


@pytest.mark.usefixtures("_short_blocks")
def test_what_saved_more_for_each_of_its_tokens_survives() -> None:
    grid = Grid(1, can_truncate=True)
    tree = BlockTree(grid)
    long_twice = used(tree, keep(tree, [1, 1, 1, 1], grid), 2)
    short_thrice = used(tree, keep(tree, [2, 2], grid), 3)
    assert tree.cheapest_in_memory() is long_twice
    tree.drop_snapshot(long_twice)
    assert tree.cheapest_in_memory() is short_thrice


@pytest.mark.usefixtures("_short_blocks")
def test_a_block_of_which_only_a_part_was_used_saved_only_that_part() -> None:
    grid = Grid(1, can_truncate=True)
    tree = BlockTree(grid)
    in_part, whole = keep(tree, [1, 1, 1, 1], grid), keep(tree, [2, 2, 2, 2], grid)
    tree.use(Found((in_part,), 1))
    used(tree, whole, 1)
    assert tree.cheapest_in_memory() is in_part


@pytest.mark.usefixtures("_short_blocks")
def test_what_was_once_popular_grows_old() -> None:
    grid = Grid(1, can_truncate=True)
    tree = BlockTree(grid)
    popular = used(tree, keep(tree, [0, 0, 0, 0], grid), 10)
    evicted = []
    for number in range(1, 20):
        used(tree, keep(tree, [number] * 4, grid), 1)
        block = tree.cheapest_in_memory()
        assert block is not None
        tree.drop_snapshot(block)
        evicted.append(block)
    assert evicted.index(popular) == 5  # each newcomer is worth 2 more than the one before it; this one was worth 11
