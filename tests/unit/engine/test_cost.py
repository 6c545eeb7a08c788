"""The fitted cost of a step."""

import numpy as np
import pytest

from appliance.engine.cost import CostModel, StepShape


def true_cost_s(shape: StepShape) -> float:
    return 0.008 + 0.0016 * shape.prefill_tokens + 0.004 * shape.decode_runs + 2e-7 * shape.context_tokens


def shapes(count: int) -> list[StepShape]:
    random = np.random.default_rng(1)
    return [
        StepShape(
            prefill_tokens=int(random.choice([0, 0, 0, 32, 128])),
            decode_runs=int(random.integers(1, 9)),
            context_tokens=int(random.integers(100, 8000)),
            retained_tokens=0,
        )
        for _ in range(count)
    ]


def test_it_finds_the_cost_of_a_machine_from_its_steps() -> None:
    model = CostModel()
    for shape in shapes(200):
        model.observe(shape, true_cost_s(shape))
    for shape in shapes(20):
        assert model.predict_s(shape) == pytest.approx(true_cost_s(shape), rel=0.05)


def test_the_chunk_fills_the_time_that_decodes_leave() -> None:
    model = CostModel()
    for shape in shapes(200):
        model.observe(shape, true_cost_s(shape))
    decodes = StepShape(prefill_tokens=0, decode_runs=4, context_tokens=1000, retained_tokens=0)
    left_s = 0.125 - true_cost_s(decodes)
    assert model.prefill_budget_tokens(decodes, 1, 0.1) == pytest.approx(left_s / 0.0016, rel=0.1)


def test_the_step_stretches_with_the_newcomers_for_each_stream_but_not_without_end() -> None:
    model = CostModel()
    for shape in shapes(200):
        model.observe(shape, true_cost_s(shape))
    decodes = StepShape(prefill_tokens=0, decode_runs=2, context_tokens=1000, retained_tokens=0)

    def step_s(num_prefills: int) -> float:
        return model.prefill_budget_tokens(decodes, num_prefills, 0.1) * 0.0016 + true_cost_s(decodes)

    assert [step_s(n) for n in (2, 4, 100)] == pytest.approx([0.2, 0.3, 0.5], rel=0.05)


def test_it_answers_before_the_first_step() -> None:
    decodes = StepShape(prefill_tokens=0, decode_runs=1, context_tokens=0, retained_tokens=0)
    assert 0 < CostModel().prefill_budget_tokens(decodes, 1, 0.1) < 512


def test_it_follows_a_machine_that_became_slower() -> None:
    model = CostModel()
    for shape in shapes(200):
        model.observe(shape, true_cost_s(shape))
    for shape in shapes(200):
        model.observe(shape, 3 * true_cost_s(shape))
    shape = shapes(1)[0]
    assert model.predict_s(shape) == pytest.approx(3 * true_cost_s(shape), rel=0.1)


def test_no_part_of_a_step_gives_time_back() -> None:
    model = CostModel()
    for tokens in (0, 100, 200):
        model.observe(StepShape(tokens, 1, 0, 0), 1.0 - tokens / 1000)
    assert model.predict_s(StepShape(10_000, 1, 0, 0)) >= 0
