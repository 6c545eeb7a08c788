"""The threads of a model are measured on itself, within a budget."""

from collections.abc import Callable

import numpy as np
import pytest

from appliance.backends.base import Batch, StepOutput
from appliance.core.plan import Calibration
from appliance.core.traits import ModelTraits
from appliance.engine.contention import CpuTimes
from appliance.engine.threads import BUDGET_S, MAX_ROUND_S, calibrate

Cost = Callable[[int, int], float]


def traits(*, max_context_tokens: int = 2048, max_step_tokens: int = 512, can_set_threads: bool = True) -> ModelTraits:
    return ModelTraits(
        task="generate",
        vocab_size=1000,
        max_context_tokens=max_context_tokens,
        kv_capacity_tokens=max_context_tokens,
        max_sequences=4,
        max_step_sequences=4,
        max_step_tokens=max_step_tokens,
        max_step_outputs=4,
        chunk_multiple_tokens=1,
        copy_cost="shared",
        retain="free",
        can_truncate=False,
        is_batch_invariant=False,
        kv_bytes_per_token=1,
        max_adapters_per_step=0,
        can_set_threads=can_set_threads,
    )


class TimedModel:
    """A model whose steps take `cost(threads, num_tokens)` seconds of its own clock, and others' programs beside it."""

    def __init__(self, cost: Cost, traits: ModelTraits, others_busy_cores: float = 0.0) -> None:
        self.traits = traits
        self.now_s = 50.0
        self.threads = (4, 4)
        self.tried: set[int] = set()
        self.length = 0
        self._cost = cost
        self._others_busy_cores = others_busy_cores

    def clock(self) -> float:
        return self.now_s

    def probe(self) -> CpuTimes:
        return CpuTimes((2 + self._others_busy_cores) * self.now_s, 2 * self.now_s)

    def set_threads(self, decode: int, prefill: int) -> None:
        self.threads = decode, prefill
        self.tried.add(decode)

    def step(self, batch: Batch) -> StepOutput:
        (run,) = batch.runs
        assert run.start == self.length
        assert 0 < len(run.tokens) <= self.traits.max_step_tokens
        self.length += len(run.tokens)
        assert self.length <= self.traits.max_context_tokens
        self.now_s += self._cost(self.threads[len(run.tokens) > 1], len(run.tokens))
        return StepOutput((np.zeros((1, self.traits.vocab_size), np.float32),))

    def truncate(self, sequence: int, num_tokens: int) -> None:
        assert num_tokens == 0, "all that every model can do"
        self.length = 0

    def length_tokens(self, sequence: int) -> int:
        return self.length


def measured(model: TimedModel, *candidates: int) -> Calibration | None:
    return calibrate(model, candidates, model.probe, model.clock)


def memory_bound(threads: int, num_tokens: int) -> float:
    """Two threads read all that the memory gives; prefill computes."""
    return 0.010 / min(threads, 2) + 0.002 * (num_tokens - 1) / threads


def test_decoding_and_prefill_each_get_what_is_fastest_for_them() -> None:
    model = TimedModel(memory_bound, traits())
    assert measured(model, 4, 3, 2, 1) == Calibration(threads_decode=2, threads_prefill=4)
    assert model.threads == (2, 4)


def test_a_calibration_leaves_no_tokens_behind() -> None:
    model = TimedModel(memory_bound, traits())
    measured(model, 2, 1)
    assert model.length == 0


@pytest.mark.parametrize(("gain", "expected"), [(1.02, 1), (1.05, 2)])
def test_fewer_threads_are_taken_where_more_bring_next_to_nothing(gain: float, expected: int) -> None:
    model = TimedModel(lambda threads, _: 0.01 if threads == 1 else 0.01 / gain, traits())
    assert measured(model, 2, 1) == Calibration(threads_decode=expected, threads_prefill=expected)


def test_a_step_that_was_held_up_does_not_decide() -> None:
    steps = iter(range(10**6))
    model = TimedModel(lambda threads, _: 0.02 if threads == 1 else 0.31 if next(steps) % 11 == 3 else 0.01, traits())
    assert measured(model, 2, 1) == Calibration(threads_decode=2, threads_prefill=2)


def test_a_small_model_takes_the_budget_and_hardly_more() -> None:
    model = TimedModel(memory_bound, traits())
    started_s = model.now_s
    measured(model, 4, 2, 1)
    assert BUDGET_S <= model.now_s - started_s < BUDGET_S + 0.5


def test_a_model_slower_than_the_budget_has_one_turn_of_each_candidate() -> None:
    model = TimedModel(lambda threads, _: 0.25 if threads == 4 else 0.2, traits())
    started_s = model.now_s
    assert measured(model, 4, 2) == Calibration(threads_decode=2, threads_prefill=2)
    assert model.now_s - started_s < MAX_ROUND_S


@pytest.mark.parametrize(
    "cost",
    [lambda threads, tokens: 0.6, lambda threads, tokens: 0.1 + 0.06 * (tokens - 1)],
    ids=["slow to generate", "slow to read"],
)
def test_a_slow_model_keeps_the_planned_threads(cost: Cost) -> None:
    model = TimedModel(cost, traits())
    started_s = model.now_s
    assert measured(model, 4, 2, 1) is None
    assert model.threads == (4, 4)
    assert model.now_s - started_s < MAX_ROUND_S


def test_nothing_is_concluded_while_others_compute() -> None:
    model = TimedModel(memory_bound, traits(), others_busy_cores=1.0)
    assert measured(model, 4, 2, 1) is None
    assert model.threads == (4, 4)


def test_a_model_that_cannot_change_its_threads_is_not_asked_to() -> None:
    model = TimedModel(memory_bound, traits(can_set_threads=False))
    assert measured(model, 4, 2, 1) is None
    assert not model.tried


def test_one_candidate_needs_no_trial() -> None:
    model = TimedModel(memory_bound, traits())
    assert measured(model, 4) is None
    assert model.now_s == 50.0


def test_a_short_context_is_enough() -> None:
    model = TimedModel(memory_bound, traits(max_context_tokens=64, max_step_tokens=16))
    assert measured(model, 4, 2) == Calibration(threads_decode=2, threads_prefill=4)
