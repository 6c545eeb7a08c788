"""The speed of a model is its best round on a quiet machine, found in bounded time."""

from typing import Any

import numpy as np
import pytest

from appliance.backends import speed
from appliance.backends.base import Batch, EncoderInput, Snapshot


class Clockwork:
    """A model whose every token takes a tenth of a second, and every step one more; `slowness` times as much."""

    class Traits:
        max_step_tokens = 64
        vocab_size = 1000

    traits: Any = Traits()

    def __init__(self, slowness: float = 1.0) -> None:
        self.now_s = 0.0
        self.lengths: dict[int, int] = {}
        self.largest_step = 0
        self._slowness = slowness

    def clock(self) -> float:
        return self.now_s

    def step(self, batch: Batch) -> Any:
        num_tokens = sum(len(run.tokens) for run in batch.runs)
        for run in batch.runs:
            assert run.start == self.lengths.get(run.sequence, 0)
            self.lengths[run.sequence] = run.start + len(run.tokens)
        self.largest_step = max(self.largest_step, num_tokens)
        self.now_s += self._slowness * (0.1 * num_tokens + 1)

    def truncate(self, sequence: int, num_tokens: int) -> None:
        self.lengths[sequence] = num_tokens

    def snapshot(self, sequence: int, start: int, end: int) -> Snapshot:
        return Snapshot(start, end - start, "clockwork", ())

    def restore(self, sequence: int, snapshot: Snapshot) -> None:
        assert self.lengths.get(sequence, 0) == 0
        self.lengths[sequence] = snapshot.num_tokens

    def embed(self, inputs: list[EncoderInput]) -> Any:
        (read,) = inputs
        self.now_s += 0.1 * len(read.tokens)

    @property
    def num_held(self) -> int:
        return sum(self.lengths.values())


@pytest.fixture
def model() -> Any:
    return Clockwork()


PROMPT = np.zeros(160, np.int32)


def test_a_prompt_is_read_in_steps_as_large_as_they_can_be(model: Any) -> None:
    found = speed.measure_prefill(model, PROMPT, model.clock)

    assert found.tokens_per_s == pytest.approx(160 / (16 + 3))
    assert (model.largest_step, model.num_held) == (64, 0)


def test_sequences_that_generate_together_are_counted_together(model: Any) -> None:
    one = speed.measure_decode(model, PROMPT[:20], 1, model.clock)
    eight = speed.measure_decode(model, PROMPT[:20], 8, model.clock)

    assert (one.tokens_per_s, eight.tokens_per_s) == (pytest.approx(1 / 1.1), pytest.approx(8 / 1.8))
    assert model.num_held == 0


def test_an_input_is_measured_as_a_whole(model: Any) -> None:
    assert speed.measure_input(model, PROMPT, model.clock).tokens_per_s == pytest.approx(10)


def test_a_slow_model_says_enough_with_one_round() -> None:
    model: Any = Clockwork(slowness=100)

    speed.measure_decode(model, PROMPT[:20], 1, model.clock)

    assert model.now_s == pytest.approx(100 * (0.1 * 20 + 1) + 100 * 1.1)


def test_one_caller_is_served_as_fast_as_a_prompt_is_read_and_continued(model: Any) -> None:
    found = speed.measure_speed(model, PROMPT, model.clock)

    assert (found.prefill, found.decode) == (pytest.approx(64 / 7.4), pytest.approx(1 / 1.1))


def test_a_speed_that_was_disturbed_is_measured_again_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "_MOST_TRIES", 3)
    asked = iter(range(0, 10_000_000, 1000))  # others use a thousand seconds between two looks
    monkeypatch.setattr(speed, "_busy_s", lambda: float(next(asked)))
    model: Any = Clockwork(slowness=0.01)

    assert speed.measure_prefill(model, PROMPT, model.clock).is_disturbed
    assert next(asked) == 6 * 1000


def test_our_own_work_disturbs_nobody(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "_busy_s", lambda: 0.0)

    assert not speed.measure_speed(model, PROMPT, model.clock).is_disturbed
