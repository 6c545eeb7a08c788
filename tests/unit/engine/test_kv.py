"""The handles of a model over echo, whose cells say which tokens they hold: what left comes back, and is the same."""

import itertools
import threading
from pathlib import Path

import numpy as np
import pytest

from appliance.backends.base import Batch, Run, Snapshot, TokenArray
from appliance.backends.echo import EchoBackend, EchoModel
from appliance.caches.kv_folder import KvFolder
from appliance.core.plan import Artefact, LoadPlan
from appliance.engine.kv import KVCache, Source
from appliance.engine.prefix import EVERYBODY, Grid, PrefixIndex, Scope, scope_of
from appliance.engine.tiers import Limits, Tiers

PRIVATE = scope_of("private", "r", is_private=True)
CONTEXT_TOKENS = 1024
NO_MEMORY = Limits(0, 0)
PLENTY = Limits(2**20, 2**20)
TIMEOUT_S = 20.0


class Cells:
    """A KV cache with its model; does with sequences what the engine does."""

    def __init__(
        self, path: str = "echo:", *, capacity: int = 4096, limits: Limits = PLENTY, folder: Path | None = None
    ) -> None:
        self.model: EchoModel = EchoBackend().load(_plan(path, capacity), lambda ratio: None)
        traits = self.model.traits
        grid = Grid(traits.chunk_multiple_tokens, traits.can_truncate)
        self.news = threading.Semaphore(0)
        self.tiers = Tiers(grid, limits, None if folder is None else KvFolder(folder), self.news.release)
        ticks = itertools.count()
        self.kv = KVCache(self.model, PrefixIndex(grid), self.tiers, lambda: float(next(ticks)))
        self.running: dict[int, int] = {}

    def check(self) -> None:
        self.kv.check_integrity(self.running)

    def open(self, tokens: TokenArray, source: Source, scope: Scope = EVERYBODY) -> tuple[int, int]:
        handle, num_cached = self.kv.open(scope, tokens, len(tokens), source)
        self.running[handle] = num_cached
        self.check()
        assert self.held(handle) == tokens[:num_cached].tolist()
        return handle, num_cached

    def compute(self, handle: int, tokens: TokenArray) -> None:
        start = self.model.length_tokens(handle)
        self.model.step(Batch((Run(handle, start, tokens[start:], 1),)))
        self.running[handle] = len(tokens)
        self.kv.extend(handle, len(tokens))
        self.check()

    def run(self, tokens: TokenArray, scope: Scope = EVERYBODY) -> int:
        """Begin a sequence with what is held of it and compute the rest; return the handle."""
        source = self.kv.find(scope, tokens)
        assert source is not None
        handle, _ = self.open(tokens, source, scope)
        self.compute(handle, tokens)
        return handle

    def finish(self, handle: int) -> None:
        del self.running[handle]
        self.kv.retain(handle)
        self.check()

    def leave_cells(self) -> None:
        while self.kv.evict_oldest(keep=None):
            self.check()

    def held(self, handle: int) -> list[int]:
        """Return the tokens whose KV the model has under a handle."""
        length = self.model.length_tokens(handle)
        return np.frombuffer(self.model.snapshot(handle, 0, length).parts[0], np.int32).tolist() if length else []

    def num_found(self, tokens: TokenArray, scope: Scope = EVERYBODY) -> int:
        source = self.kv.find(scope, tokens)
        assert source is not None
        return source.num_tokens


def _plan(path: str, capacity: int) -> LoadPlan:
    return LoadPlan(
        model="parrot",
        backend="echo",
        artefact=Artefact(format="echo", path=path, digest="sha256:0"),
        device="cpu",
        context_tokens=CONTEXT_TOKENS,
        kv_capacity_tokens=capacity,
        max_sequences=4,
        max_step_sequences=4,
        max_step_tokens=CONTEXT_TOKENS,
        threads_decode=1,
        threads_prefill=1,
        kv_type="f16",
        gpu_layers=0,
        step_time_target_s=0.1,
        estimated_bytes=0,
        reasons=(),
    )


def prompt(seed: int, num_tokens: int) -> TokenArray:
    return np.random.default_rng(seed).integers(0, 256, num_tokens, np.int32)


def followed(tokens: TokenArray, num_more: int) -> TokenArray:
    return np.concatenate([tokens, prompt(99, num_more)])


def test_what_a_sequence_left_is_found_again_after_its_cells_were_given_away() -> None:
    cells = Cells()
    tokens = prompt(1, 600)
    cells.finish(cells.run(tokens))
    cells.leave_cells()
    assert cells.model.free_tokens() == 4096
    source = cells.kv.find(EVERYBODY, followed(tokens, 50))
    assert source is not None and source.found is not None
    assert cells.open(followed(tokens, 50), source)[1] == 600


def test_a_prompt_that_leaves_the_kept_one_in_the_middle_of_a_block_gets_the_part_it_shares() -> None:
    cells = Cells()
    tokens = prompt(1, 600)
    cells.finish(cells.run(tokens))
    cells.leave_cells()
    other = followed(tokens[:300], 100)
    source = cells.kv.find(EVERYBODY, other)
    assert source is not None
    assert cells.open(other, source)[1] == 300


def test_a_prompt_that_goes_on_where_another_ended_takes_its_handle_and_one_that_parts_from_it_a_copy() -> None:
    cells = Cells()
    tokens = prompt(1, 300)
    first = cells.run(tokens)
    cells.finish(first)
    second = cells.run(followed(tokens[:200], 20))
    assert second != first and cells.held(first) == tokens.tolist()
    assert cells.run(followed(tokens, 20)) == first


def test_where_a_copy_takes_memory_a_prompt_cuts_what_is_retained_and_the_rest_is_kept() -> None:
    cells = Cells("echo:?copy=memory")
    tokens = prompt(1, 300)
    first = cells.run(tokens)
    cells.finish(first)
    assert cells.run(followed(tokens[:200], 20)) == first
    assert cells.num_found(followed(tokens, 20)) == 300


def test_what_is_in_the_cells_goes_before_what_is_kept_beyond_them() -> None:
    cells = Cells()
    tokens = prompt(1, 300)
    cells.finish(cells.run(tokens))
    cells.leave_cells()
    cells.finish(cells.run(tokens))
    source = cells.kv.find(EVERYBODY, followed(tokens, 10))
    assert source is not None and source.entry is not None and source.found is None


def test_a_prefix_that_another_is_just_computing_is_waited_for() -> None:
    cells = Cells()
    tokens = prompt(1, 300)
    handle, _ = cells.open(tokens, Source())
    assert cells.kv.find(EVERYBODY, followed(tokens, 10)) is None
    cells.compute(handle, tokens)
    assert cells.num_found(followed(tokens, 10)) == 300


def test_what_ended_is_kept_a_block_at_a_time_and_stays_in_its_cells() -> None:
    cells = Cells()
    cells.finish(cells.run(prompt(1, 600)))
    kept_bytes = []
    while cells.kv.has_unsaved:
        cells.kv.tend(others_running=False)
        cells.check()
        kept_bytes.append(cells.tiers.memory_bytes)
    assert kept_bytes[:3] == [1024, 2048, 2400]
    assert cells.kv.retained_tokens == 600


def test_cells_that_slow_the_steps_are_given_up_once_their_tokens_are_kept() -> None:
    cells = Cells("echo:?retain=slows_steps")
    tokens = prompt(1, 900)
    cells.finish(cells.run(tokens))
    while cells.kv.has_unsaved:
        assert cells.kv.retained_tokens == 900
        cells.kv.tend(others_running=True)
        cells.check()
    assert cells.kv.retained_tokens == 0
    assert cells.num_found(followed(tokens, 10)) == 900


def test_what_is_shorter_than_is_worth_keeping_is_not_kept() -> None:
    cells = Cells()
    cells.finish(cells.run(prompt(1, 20)))
    cells.leave_cells()
    assert cells.tiers.memory_bytes == 0


@pytest.mark.parametrize("path", ["echo:", "echo:?truncate=0", "echo:?copy=memory&grid=64"])
def test_a_parked_sequence_frees_its_cells_and_gets_all_of_them_back(path: str) -> None:
    cells = Cells(path, limits=NO_MEMORY)
    tokens = prompt(1, 601)
    handle = cells.run(tokens[:600])
    parked = cells.kv.park(handle)
    del cells.running[handle]
    cells.check()
    assert cells.model.free_tokens() == 4096
    source = cells.kv.find(EVERYBODY, tokens, parked)
    assert source is not None
    again, num_cached = cells.open(tokens, source)
    assert num_cached == 600  # off the grid: it was computed there, and goes on there
    cells.kv.unpark(parked)
    cells.compute(again, tokens)
    assert cells.tiers.memory_bytes == 0


def test_what_begins_with_a_parked_sequence_is_parked_without_a_second_copy() -> None:
    cells = Cells()
    tokens = prompt(1, 512)
    cells.finish(cells.run(tokens))
    cells.leave_cells()
    handle = cells.run(followed(tokens, 40))
    parked = cells.kv.park(handle)
    del cells.running[handle]
    assert cells.tiers.memory_bytes == 552 * 4
    cells.kv.clear()
    assert cells.tiers.memory_bytes == 552 * 4
    cells.kv.unpark(parked)
    cells.kv.clear()
    assert cells.tiers.memory_bytes == 0


def test_where_chunks_lie_on_a_grid_a_kept_prefix_is_used_up_to_it() -> None:
    cells = Cells("echo:?retain=no&copy=memory&grid=64")
    tokens = prompt(1, 600)
    cells.finish(cells.run(tokens))
    cells.leave_cells()
    source = cells.kv.find(EVERYBODY, followed(tokens, 10))
    assert source is not None
    assert cells.open(followed(tokens, 10), source)[1] == 576


def test_a_state_that_cannot_be_cut_is_kept_at_the_end_of_the_prompt() -> None:
    cells = Cells("echo:?truncate=0")
    tokens = prompt(1, 300)
    answered = followed(tokens, 1)
    handle, _ = cells.open(answered, Source())
    cells.compute(handle, tokens)
    cells.kv.save_prompt(handle)
    cells.compute(handle, answered)
    assert cells.num_found(tokens) == 0
    other = np.concatenate([tokens, prompt(7, 5)])
    source = cells.kv.find(EVERYBODY, other)
    assert source is not None
    assert cells.open(other, source)[1] == 300


def test_cells_that_run_out_while_blocks_come_back_leave_a_shorter_prefix() -> None:
    cells = Cells(capacity=1024)
    tokens = prompt(1, 600)
    cells.finish(cells.run(tokens))
    cells.leave_cells()
    cells.run(prompt(2, 700))
    source = cells.kv.find(EVERYBODY, followed(tokens, 10))
    assert source is not None
    handle, num_cached = cells.open(followed(tokens, 10), source)
    assert num_cached == 256
    cells.compute(handle, followed(tokens, 10)[:300])
    assert cells.num_found(followed(tokens, 10)) == 600


def test_a_block_that_the_model_refuses_is_forgotten_with_all_behind_it() -> None:
    cells = Cells()
    tokens = prompt(1, 600)
    cells.finish(cells.run(tokens))
    cells.leave_cells()
    block = cells.tiers.find(EVERYBODY, tokens).blocks[1]
    part = block.tokens.tobytes()
    block.snapshot = Snapshot(256, 256, "echo/another version", (memoryview(part),))
    source = cells.kv.find(EVERYBODY, followed(tokens, 10))
    assert source is not None and source.num_tokens == 600
    handle, num_cached = cells.open(followed(tokens, 10), source)
    assert num_cached == 256
    cells.kv.free(handle)
    del cells.running[handle]
    assert cells.num_found(followed(tokens, 10)) == 256


def test_room_is_made_by_evicting_what_is_retained_the_oldest_first() -> None:
    cells = Cells(capacity=1024)
    old, new = prompt(1, 400), prompt(2, 400)
    cells.finish(cells.run(old))
    cells.finish(cells.run(new))
    cells.run(prompt(3, 100))
    assert cells.kv.has_room(Source(), 500, others_running=True)
    assert cells.kv.retained_tokens == 400
    source = cells.kv.find(EVERYBODY, followed(new, 1))
    assert source is not None and source.entry is not None
    assert cells.kv.has_room(source, 400 + 524, others_running=True)  # what it shares takes no new cells
    assert not cells.kv.has_room(source, 400 + 524 + 1, others_running=True)
    assert cells.kv.retained_tokens == 400  # its own source is not evicted for it


def test_making_room_for_a_prompt_takes_nothing_away_of_what_was_found_for_it() -> None:
    cells = Cells(capacity=1300, limits=Limits(600 * 4, 0))
    tokens = prompt(1, 600)
    cells.finish(cells.run(tokens))
    cells.leave_cells()
    cells.finish(cells.run(prompt(2, 600)))
    cells.run(prompt(3, 600))
    source = cells.kv.find(EVERYBODY, followed(tokens, 50))
    assert source is not None and source.found is not None
    assert cells.kv.has_room(source, 650, others_running=True)  # which evicts 600 tokens, and keeps them if it can
    assert cells.open(followed(tokens, 50), source)[1] == 600


def test_all_handles_in_use_is_no_obstacle_while_one_is_merely_retained() -> None:
    cells = Cells()
    for seed in range(4):
        cells.finish(cells.run(prompt(seed, 100)))
    cells.run(prompt(9, 100))
    assert cells.num_found(followed(prompt(0, 100), 1)) == 100


def test_a_private_prefix_is_gone_when_its_request_is() -> None:
    cells = Cells()
    tokens = prompt(1, 300)
    handle = cells.run(tokens, PRIVATE)
    assert cells.num_found(followed(tokens, 10)) == 0
    parked = cells.kv.park(handle)
    del cells.running[handle]
    assert cells.num_found(followed(tokens, 10)) == 0
    cells.kv.unpark(parked)
    cells.kv.forget(PRIVATE)
    assert cells.num_found(followed(tokens, 10), PRIVATE) == 0
    assert cells.tiers.memory_bytes == 0


def test_everybodys_prefixes_are_not_forgotten_with_a_request() -> None:
    cells = Cells()
    cells.finish(cells.run(prompt(1, 300)))
    cells.leave_cells()
    cells.kv.forget(EVERYBODY)
    assert cells.num_found(followed(prompt(1, 300), 10)) == 300


def test_all_that_nobody_needs_is_given_back_when_memory_is_short() -> None:
    cells = Cells()
    for seed in range(3):
        cells.finish(cells.run(prompt(seed, 300)))
    cells.leave_cells()
    cells.finish(cells.run(prompt(9, 300)))
    assert cells.kv.gives_memory_back
    cells.kv.clear()
    cells.check()
    assert not cells.kv.gives_memory_back
    assert cells.model.free_tokens() == 4096


def test_a_prefix_on_disk_is_fetched_first_and_used_then(tmp_path: Path) -> None:
    tokens = prompt(1, 600)
    before = Cells(folder=tmp_path)
    before.finish(before.run(tokens))
    before.leave_cells()
    before.tiers.close()
    cells = Cells(folder=tmp_path, limits=Limits(0, 2**20))
    asked = followed(tokens, 10)
    assert cells.kv.find(EVERYBODY, asked) is None
    for _ in range(3):
        assert cells.news.acquire(timeout=TIMEOUT_S)
    source = cells.kv.find(EVERYBODY, asked)
    assert source is not None
    assert cells.open(asked, source)[1] == 600
    assert cells.tiers.memory_bytes == 0
    cells.tiers.close()
