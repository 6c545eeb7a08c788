"""The promises of the seam as one suite. A subclass names the plan to load and how closely rows must agree."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from typing import ClassVar

import numpy as np
import pytest

from appliance.backends.base import (
    Batch,
    KVCacheFull,
    LoadedModel,
    LogitsArray,
    Run,
    Snapshot,
    SnapshotRejected,
)
from appliance.backends.loading import open_backend
from appliance.core.plan import LoadPlan
from appliance.errors import BackendError
from tests.unit.backends.twin import Piece, Program, random_tokens, run_of


def load(plan: LoadPlan) -> LoadedModel:
    return open_backend(plan.backend).load(plan, lambda ratio: None)


def continue_blocks(plan: LoadPlan, blocks: Sequence[tuple[int, int, str, bytes]], token: int) -> LogitsArray:
    """Run in another process: restore the blocks, one behind the other, and return the row after one more token."""
    with closing(load(plan)) as model:
        for start, num_tokens, layout, content in blocks:
            model.restore(3, Snapshot(start, num_tokens, layout, (memoryview(content),)))
        run = Run(3, model.length_tokens(3), np.array([token], np.int32), 1)
        return model.step(Batch((run,))).logits[0].copy()


def continue_elsewhere(plan: LoadPlan, snapshots: Sequence[Snapshot], token: int) -> LogitsArray:
    """Return the row after the snapshots and one more token, computed by another process."""
    blocks = [(block.start, block.num_tokens, block.layout, b"".join(block.parts)) for block in snapshots]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(continue_blocks, plan, blocks, token).result()[0]


class Conformance:
    """One test for each promise. The plan's KV capacity is small, so that random programs fill it."""

    tolerance: ClassVar[float]

    @pytest.fixture(scope="class")
    @classmethod
    def plan(cls) -> LoadPlan:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def loaded(cls, plan: LoadPlan) -> Iterator[LoadedModel]:
        with closing(load(plan)) as model:
            yield model

    @pytest.fixture
    def model(self, loaded: LoadedModel) -> LoadedModel:
        for sequence in range(loaded.traits.max_sequences):
            loaded.truncate(sequence, 0)
        return loaded

    @pytest.fixture(scope="class")
    @classmethod
    def oracle(cls, plan: LoadPlan) -> Iterator[LoadedModel]:
        with closing(load(plan)) as model:
            yield model

    def step(self, model: LoadedModel, *runs: tuple[int, int, int]) -> tuple[LogitsArray, ...]:
        """Step with runs of (sequence, number of random tokens, outputs)."""
        return model.step(Batch(tuple(run_of(model, *run) for run in runs))).logits

    def assert_agree(self, model: LoadedModel, row: LogitsArray, expected: LogitsArray) -> None:
        if model.traits.is_batch_invariant:
            np.testing.assert_array_equal(row, expected)
            return
        assert np.abs(row - expected).max() <= self.tolerance
        second, first = np.partition(expected, -2)[-2:]
        if first - second > 2 * self.tolerance:
            assert row.argmax() == expected.argmax()

    @pytest.mark.parametrize("seed", range(8))
    def test_a_random_program_gives_the_rows_of_fresh_sequences(
        self, model: LoadedModel, oracle: LoadedModel, seed: int
    ) -> None:
        program = Program(model, seed)
        for _ in range(60):
            for pieces, row in program.act():
                self.assert_agree(model, row, recompute(oracle, *pieces))
        assert program.num_full > 0, "the program is meant to fill the cache"

    def test_every_token_of_a_sequence_changes_its_row(self, model: LoadedModel) -> None:
        tokens = random_tokens(24)
        rows = []
        for changed in (None, 0, 12, 23):
            variant = tokens.copy()
            if changed is not None:
                variant[changed] = (variant[changed] + 1) % 200
            rows.append(model.step(Batch((Run(0, 0, variant, 1),))).logits[0][0].copy())
            model.truncate(0, 0)
        assert all(np.abs(rows[0] - row).max() > 0 for row in rows[1:])

    def test_rows_are_writable_views_in_the_order_of_the_runs(self, model: LoadedModel, oracle: LoadedModel) -> None:
        runs = (run_of(model, 5, 1, 1), run_of(model, 2, 9, 4), run_of(model, 7, 3, 0), run_of(model, 0, 1, 1))
        rows = model.step(Batch(runs)).logits
        assert [row.shape for row in rows] == [(n, model.traits.vocab_size) for n in (1, 4, 0, 1)]
        for run, got in zip(runs, rows, strict=True):
            assert got.dtype == np.float32
            assert got.flags.writeable
            for index in range(run.num_outputs):
                end = len(run.tokens) - run.num_outputs + index + 1
                self.assert_agree(model, got[index], recompute(oracle, Piece(run.tokens, end)))

    def test_a_sequence_decodes_alone_as_it_does_among_others(self, model: LoadedModel) -> None:
        num_others = min(model.traits.max_step_sequences, 8) - 1
        prompt, decoded = random_tokens(11), random_tokens(8)

        def decode(others: range) -> list[LogitsArray]:
            for other in others:
                self.step(model, (other, 3 + 2 * other, 0))
            model.step(Batch((Run(0, 0, prompt, 0),)))
            rows = []
            for start, token in enumerate(decoded, len(prompt)):
                runs = [
                    Run(0, start, np.array([token], np.int32), 1),
                    *(run_of(model, other, 1, 1) for other in others),
                ]
                rows.append(model.step(Batch(tuple(runs))).logits[0][0].copy())
            for sequence in (0, *others):
                model.truncate(sequence, 0)
            return rows

        for row, expected in zip(decode(range(1, num_others + 1)), decode(range(0)), strict=True):
            self.assert_agree(model, row, expected)

    def test_a_step_that_does_not_fit_changes_nothing(self, model: LoadedModel) -> None:
        self.step(model, (0, 8, 1), (1, 8, 1))
        fill_up(model, 2)
        lengths = [model.length_tokens(s) for s in range(model.traits.max_sequences)]
        with pytest.raises(KVCacheFull):
            self.step(model, (0, 1, 1), (1, 1, 1))
        assert [model.length_tokens(s) for s in range(model.traits.max_sequences)] == lengths
        assert model.free_tokens() == 0
        model.truncate(2, 0)
        self.step(model, (0, 1, 1), (1, 1, 1))

    def test_a_full_cache_can_be_used_to_the_last_token(self, model: LoadedModel) -> None:
        assert model.free_tokens() == model.traits.kv_capacity_tokens
        fill_up(model, 0)
        with pytest.raises(KVCacheFull):
            self.step(model, (model.traits.max_sequences - 1, 1, 1))

    def test_a_copy_goes_its_own_way(self, model: LoadedModel, oracle: LoadedModel) -> None:
        prefix = random_tokens(12)
        model.step(Batch((Run(0, 0, prefix, 1),)))
        model.copy(0, 1, 12)
        first, second = (np.array([token], np.int32) for token in (11, 12))
        rows = model.step(Batch((Run(0, 12, first, 1), Run(1, 12, second, 1)))).logits
        for tail, row in zip((first, second), rows, strict=True):
            self.assert_agree(model, row[0], recompute(oracle, Piece(prefix, 12), Piece(tail, 1)))

    def test_a_snapshot_continues_in_another_process(
        self, model: LoadedModel, oracle: LoadedModel, plan: LoadPlan
    ) -> None:
        tokens = random_tokens(30)
        model.step(Batch((Run(4, 0, tokens, 1),)))
        free = model.free_tokens()
        snapshot = model.snapshot(4, 0, 30)
        assert (snapshot.start, snapshot.num_tokens) == (0, 30)
        assert (model.length_tokens(4), model.free_tokens()) == (30, free)
        row = continue_elsewhere(plan, [snapshot], 77)
        self.assert_agree(model, row, recompute(oracle, Piece(tokens, 30), Piece(np.array([77], np.int32), 1)))

    def test_a_foreign_or_damaged_snapshot_is_rejected_and_changes_nothing(self, model: LoadedModel) -> None:
        self.step(model, (0, 20, 1))
        good = model.snapshot(0, 0, 20)
        free = model.free_tokens()
        for bad in spoiled(good):
            with pytest.raises(SnapshotRejected):
                model.restore(1, bad)
            assert (model.length_tokens(1), model.free_tokens()) == (0, free)
        model.restore(1, good)
        assert (model.length_tokens(1), model.free_tokens()) == (20, free - 20)

    def test_a_snapshot_that_does_not_fit_changes_nothing(self, model: LoadedModel) -> None:
        self.step(model, (0, 20, 1))
        snapshot = model.snapshot(0, 0, 20)
        fill_up(model, 1)
        with pytest.raises(KVCacheFull):
            model.restore(model.traits.max_sequences - 1, snapshot)
        assert (model.length_tokens(model.traits.max_sequences - 1), model.free_tokens()) == (0, 0)

    def test_calls_that_break_the_rules_are_refused(self, model: LoadedModel) -> None:
        self.step(model, (0, 8, 1))
        token, traits = np.array([65], np.int32), model.traits
        outside = np.array([traits.vocab_size], np.int32)
        for runs in (
            (),
            (Run(0, 7, token, 1),),
            (Run(0, 9, token, 1),),
            (Run(0, 8, token, 2),),
            (Run(0, 8, token[:0], 0),),
            (Run(0, 8, outside, 1),),
            (Run(0, 8, token, 1), Run(0, 8, token, 1)),
            (Run(traits.max_sequences, 0, token, 1),),
            (Run(1, 0, random_tokens(traits.max_step_tokens + 1), 1),),
            (Run(1, 0, random_tokens(traits.max_step_outputs + 1), traits.max_step_outputs + 1),),
        ):
            with pytest.raises(BackendError):
                model.step(Batch(runs))
        for source, target, num_tokens in ((0, 1, 9), (0, 0, 4), (1, 2, 1)):
            with pytest.raises(BackendError):
                model.copy(source, target, num_tokens)
        with pytest.raises(BackendError):
            model.truncate(0, 9)
        for start, end in ((0, 9), (-1, 8), (8, 8), (5, 3)):
            with pytest.raises(BackendError):
                model.snapshot(0, start, end)
        whole = model.snapshot(0, 0, 8)
        for sequence in (0, traits.max_sequences):
            with pytest.raises(BackendError):
                model.restore(sequence, whole)
        assert model.length_tokens(0) == 8
        assert model.free_tokens() == traits.kv_capacity_tokens - 8


def recompute(oracle: LoadedModel, *pieces: Piece) -> LogitsArray:
    """Return the row after the tokens, computed in a fresh sequence of another model.

    Where cuts may matter, they are the same; else the whole is one run.
    """
    if oracle.traits.chunk_multiple_tokens == 1:
        tokens = np.concatenate([piece.run[: piece.num_kept] for piece in pieces])
        cuts = range(oracle.traits.max_step_tokens, len(tokens), oracle.traits.max_step_tokens)
        pieces = tuple(Piece(part, len(part)) for part in np.split(tokens, cuts))
    length = 0
    for piece in pieces:
        num_outputs = len(piece.run) - piece.num_kept + 1
        row = oracle.step(Batch((Run(0, length, piece.run, num_outputs),))).logits[0][0].copy()
        length += piece.num_kept
        oracle.truncate(0, length)
    oracle.truncate(0, 0)
    return row


def spoiled(snapshot: Snapshot) -> list[Snapshot]:
    """Return the snapshot as another model's, cut short, and with a wrong number of tokens."""
    start, num_tokens, layout, parts = snapshot.start, snapshot.num_tokens, snapshot.layout, snapshot.parts
    return [
        Snapshot(start, num_tokens, "other/1", parts),
        Snapshot(start, num_tokens, layout, (memoryview(bytes(parts[0])[:-9]),)),
        Snapshot(start, num_tokens - 1, layout, parts),
    ]


def fill_up(model: LoadedModel, first_sequence: int) -> None:
    """Fill the cache to the last token, one sequence after the other up to the context each."""
    sequence = first_sequence
    while (free := model.free_tokens()) > 0:
        room = model.traits.max_context_tokens - model.length_tokens(sequence)
        num_tokens = min(free, room, model.traits.max_step_tokens)
        if num_tokens == 0:
            sequence += 1
            continue
        model.step(Batch((run_of(model, sequence, num_tokens, 0),)))
