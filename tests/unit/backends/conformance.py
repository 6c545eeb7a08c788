"""The promises of the seam as one suite. A subclass names the plan to load and how closely rows must agree."""

import threading
from collections.abc import Iterator
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
    StepAborted,
)
from appliance.backends.loading import open_backend
from appliance.core.plan import LoadPlan
from appliance.errors import BackendError
from tests.unit.backends.twin import Piece, Program, random_tokens, run_of


def load(plan: LoadPlan) -> LoadedModel:
    return open_backend(plan.backend).load(plan, lambda ratio: None)


def continue_snapshot(plan: LoadPlan, num_tokens: int, layout: str, content: bytes, token: int) -> LogitsArray:
    """Run in another process: restore the snapshot and return the row after one more token."""
    with closing(load(plan)) as model:
        model.restore(3, Snapshot(num_tokens, layout, (memoryview(content),)))
        run = Run(3, num_tokens, np.array([token], np.int32), 1)
        return model.step(Batch((run,))).logits[0].copy()


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
                self.assert_agree(model, row, _recompute(oracle, *pieces))
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
                self.assert_agree(model, got[index], _recompute(oracle, Piece(run.tokens, end)))

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
        _fill_up(model, 2)
        lengths = [model.length_tokens(s) for s in range(model.traits.max_sequences)]
        with pytest.raises(KVCacheFull):
            self.step(model, (0, 1, 1), (1, 1, 1))
        assert [model.length_tokens(s) for s in range(model.traits.max_sequences)] == lengths
        assert model.free_tokens() == 0
        model.truncate(2, 0)
        self.step(model, (0, 1, 1), (1, 1, 1))

    def test_a_full_cache_can_be_used_to_the_last_token(self, model: LoadedModel) -> None:
        assert model.free_tokens() == model.traits.kv_capacity_tokens
        _fill_up(model, 0)
        with pytest.raises(KVCacheFull):
            self.step(model, (model.traits.max_sequences - 1, 1, 1))

    def test_tokens_of_copies_count_once_where_they_are_shared(self, model: LoadedModel) -> None:
        copied = 15 if model.traits.copy_cost == "memory" else 0
        self.step(model, (0, 20, 1))
        free = model.free_tokens()
        model.copy(0, 1, 15)
        assert model.free_tokens() == free - copied
        self.step(model, (1, 5, 1))
        assert model.free_tokens() == free - copied - 5
        model.truncate(0, 0)
        assert model.free_tokens() == model.traits.kv_capacity_tokens - 20
        assert (model.length_tokens(0), model.length_tokens(1)) == (0, 20)

    def test_a_thousand_copies_and_truncates_leave_the_cache_as_it_was(self, model: LoadedModel) -> None:
        free = model.free_tokens()
        self.step(model, (0, 16, 1))
        for round_ in range(1000):
            target = 1 + round_ % (model.traits.max_sequences - 1)
            model.copy(0, target, 1 + round_ % 16)
            if round_ % 7 == 0:
                self.step(model, (target, 2, 0))
            model.truncate(target, 0)
        model.truncate(0, 0)
        assert model.free_tokens() == free

    def test_a_copy_goes_its_own_way(self, model: LoadedModel, oracle: LoadedModel) -> None:
        prefix = random_tokens(12)
        model.step(Batch((Run(0, 0, prefix, 1),)))
        model.copy(0, 1, 12)
        first, second = (np.array([token], np.int32) for token in (11, 12))
        rows = model.step(Batch((Run(0, 12, first, 1), Run(1, 12, second, 1)))).logits
        for tail, row in zip((first, second), rows, strict=True):
            self.assert_agree(model, row[0], _recompute(oracle, Piece(prefix, 12), Piece(tail, 1)))

    def test_truncated_tokens_leave_no_trace(self, model: LoadedModel, oracle: LoadedModel) -> None:
        tokens = random_tokens(10)
        model.step(Batch((Run(0, 0, tokens, 0),)))
        self.step(model, (0, 7, 2))
        model.truncate(0, 10)
        tail = np.array([42], np.int32)
        row = model.step(Batch((Run(0, 10, tail, 1),))).logits[0][0]
        self.assert_agree(model, row, _recompute(oracle, Piece(tokens, 10), Piece(tail, 1)))

    @pytest.mark.parametrize("num_tokens", [30, 17])
    def test_a_snapshot_continues_in_another_process(
        self, model: LoadedModel, oracle: LoadedModel, plan: LoadPlan, num_tokens: int
    ) -> None:
        tokens = random_tokens(30)
        model.step(Batch((Run(4, 0, tokens, 1),)))
        free = model.free_tokens()
        snapshot = model.snapshot(4, num_tokens)
        assert (model.length_tokens(4), model.free_tokens()) == (30, free)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            content = b"".join(snapshot.parts)
            row = pool.submit(continue_snapshot, plan, num_tokens, snapshot.layout, content, 77).result()
        tail = np.array([77], np.int32)
        self.assert_agree(model, row[0], _recompute(oracle, Piece(tokens, num_tokens), Piece(tail, 1)))

    def test_a_foreign_or_damaged_snapshot_is_rejected_and_changes_nothing(self, model: LoadedModel) -> None:
        self.step(model, (0, 20, 1))
        good = model.snapshot(0, 20)
        free = model.free_tokens()
        foreign = Snapshot(20, "other/1", good.parts)
        cut = Snapshot(20, good.layout, (memoryview(bytes(good.parts[0])[:-9]),))
        miscounted = Snapshot(19, good.layout, good.parts)
        for bad in (foreign, cut, miscounted):
            with pytest.raises(SnapshotRejected):
                model.restore(1, bad)
            assert (model.length_tokens(1), model.free_tokens()) == (0, free)
        model.restore(1, good)
        assert (model.length_tokens(1), model.free_tokens()) == (20, free - 20)

    def test_a_snapshot_that_does_not_fit_changes_nothing(self, model: LoadedModel) -> None:
        self.step(model, (0, 20, 1))
        snapshot = model.snapshot(0, 20)
        _fill_up(model, 1)
        with pytest.raises(KVCacheFull):
            model.restore(2 if model.length_tokens(2) == 0 else model.traits.max_sequences - 1, snapshot)
        assert model.free_tokens() == 0

    def test_an_aborted_step_changes_nothing(self, model: LoadedModel) -> None:
        self.step(model, (0, 8, 1))
        free, is_over = model.free_tokens(), threading.Event()

        def insist() -> None:
            while not is_over.wait(0.0001):
                model.abort()

        caller = threading.Thread(target=insist)
        caller.start()
        with pytest.raises(StepAborted):
            for _ in range(200):
                self.step(model, (0, 1, 1), (1, model.traits.max_step_tokens - 1, 0))
                model.truncate(0, 8)
                model.truncate(1, 0)
        is_over.set()
        caller.join()
        assert (model.length_tokens(0), model.length_tokens(1), model.free_tokens()) == (8, 0, free)
        self.step(model, (0, 1, 1))

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
        assert model.length_tokens(0) == 8
        assert model.free_tokens() == traits.kv_capacity_tokens - 8


def _recompute(oracle: LoadedModel, *pieces: Piece) -> LogitsArray:
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


def _fill_up(model: LoadedModel, first_sequence: int) -> None:
    """Fill the cache to the last token, one sequence after the other up to the context each."""
    sequence = first_sequence
    while (free := model.free_tokens()) > 0:
        room = model.traits.max_context_tokens - model.length_tokens(sequence)
        num_tokens = min(free, room, model.traits.max_step_tokens)
        if num_tokens == 0:
            sequence += 1
            continue
        model.step(Batch((run_of(model, sequence, num_tokens, 0),)))
