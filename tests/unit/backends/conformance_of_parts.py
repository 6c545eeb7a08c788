"""The promises of models whose sequences can be cut: truncation, and copies and snapshots of parts."""

import threading

import numpy as np
import pytest

from appliance.backends.base import Batch, KVCacheFull, LoadedModel, Run, Snapshot, SnapshotRejected, StepAborted
from appliance.core.plan import LoadPlan
from appliance.errors import BackendError
from tests.unit.backends.conformance import Conformance, continue_elsewhere, fill_up, recompute, spoiled
from tests.unit.backends.twin import Piece, random_tokens


class ConformanceOfParts(Conformance):
    """One more test for each promise that depends on `traits.can_truncate`."""

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

    def test_truncated_tokens_leave_no_trace(self, model: LoadedModel, oracle: LoadedModel) -> None:
        tokens = random_tokens(10)
        model.step(Batch((Run(0, 0, tokens, 0),)))
        self.step(model, (0, 7, 2))
        model.truncate(0, 10)
        tail = np.array([42], np.int32)
        row = model.step(Batch((Run(0, 10, tail, 1),))).logits[0][0]
        self.assert_agree(model, row, recompute(oracle, Piece(tokens, 10), Piece(tail, 1)))

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

    def test_a_chain_of_blocks_continues_among_others_as_the_sequence_itself(
        self, model: LoadedModel, oracle: LoadedModel
    ) -> None:
        tokens, tail = random_tokens(60), np.array([77], np.int32)
        model.step(Batch((Run(0, 0, tokens, 0),)))
        blocks = _blocks(model, 0, 24, 48, 60)
        for other in range(1, 11):
            self.step(model, (other, 9, 0))
        for other in range(1, 11, 2):  # leaves gaps between what the others hold
            model.truncate(other, 0)
        model.truncate(0, 0)
        for block in blocks:
            model.restore(7, block)
        assert model.length_tokens(7) == 60
        row = model.step(Batch((Run(7, 60, tail, 1),))).logits[0][0]
        self.assert_agree(model, row, recompute(oracle, Piece(tokens, 60), Piece(tail, 1)))
        model.truncate(7, 40)
        row = model.step(Batch((Run(7, 40, tail, 1),))).logits[0][0]
        self.assert_agree(model, row, recompute(oracle, Piece(tokens, 40), Piece(tail, 1)))
        fill_up(model, 8)

    def test_a_block_is_as_large_as_its_own_tokens(self, model: LoadedModel) -> None:
        self.step(model, (0, 60, 0))
        (whole,) = _blocks(model, 0, 60)
        sizes = [len(block.parts[0]) for block in _blocks(model, 0, 20, 40, 60)]
        assert sum(sizes) < 1.1 * len(whole.parts[0])
        assert max(sizes) < 1.1 * min(sizes)

    def test_blocks_continue_in_another_process(self, model: LoadedModel, oracle: LoadedModel, plan: LoadPlan) -> None:
        tokens = random_tokens(40)
        model.step(Batch((Run(4, 0, tokens, 1),)))
        free = model.free_tokens()
        blocks = _blocks(model, 4, 16, 32, 37)
        assert (model.length_tokens(4), model.free_tokens()) == (40, free)
        row = continue_elsewhere(plan, blocks, 77)
        self.assert_agree(model, row, recompute(oracle, Piece(tokens, 37), Piece(np.array([77], np.int32), 1)))

    def test_a_block_goes_behind_the_tokens_before_it_only(self, model: LoadedModel) -> None:
        self.step(model, (0, 20, 0), (1, 9, 0), (2, 11, 0))
        _, block = _blocks(model, 0, 10, 20)
        free = model.free_tokens()
        for sequence, length in ((1, 9), (2, 11), (3, 0), (0, 20)):
            with pytest.raises(BackendError):
                model.restore(sequence, block)
            assert (model.length_tokens(sequence), model.free_tokens()) == (length, free)

    def test_a_block_that_is_rejected_leaves_its_prefix_as_it_was(
        self, model: LoadedModel, oracle: LoadedModel
    ) -> None:
        tokens, tail = random_tokens(20), np.array([42], np.int32)
        model.step(Batch((Run(0, 0, tokens, 0),)))
        first, second = _blocks(model, 0, 10, 20)
        model.restore(1, first)
        free = model.free_tokens()
        for bad in spoiled(second):
            with pytest.raises(SnapshotRejected):
                model.restore(1, bad)
            assert (model.length_tokens(1), model.free_tokens()) == (10, free)
        row = model.step(Batch((Run(1, 10, tail, 1),))).logits[0][0]
        self.assert_agree(model, row, recompute(oracle, Piece(tokens, 10), Piece(tail, 1)))
        fill_up(model, 2)

    def test_a_block_that_does_not_fit_can_be_restored_when_there_is_room(self, model: LoadedModel) -> None:
        self.step(model, (0, 20, 0))
        first, second = _blocks(model, 0, 10, 20)
        model.restore(1, first)
        fill_up(model, 2)
        with pytest.raises(KVCacheFull):
            model.restore(1, second)
        assert (model.length_tokens(1), model.free_tokens()) == (10, 0)
        model.truncate(0, 10)
        model.restore(1, second)
        assert (model.length_tokens(1), model.free_tokens()) == (20, 0)


def _blocks(model: LoadedModel, sequence: int, *ends: int) -> list[Snapshot]:
    """Take a sequence apart at the ends; the first block begins at its first token."""
    starts = (0, *ends[:-1])
    return [model.snapshot(sequence, start, end) for start, end in zip(starts, ends, strict=True)]
