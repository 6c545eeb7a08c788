"""The fitted cost of a step."""

import numpy as np
import pytest

from appliance.engine.cost import CostModel, DraftCosts, StepShape, pairs


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
    assert model.prefill_budget_tokens(decodes, 0.125) == pytest.approx(left_s / 0.0016, rel=0.1)


def test_chunks_become_shorter_the_more_of_their_prompt_is_read() -> None:
    model = CostModel()
    for start in range(0, 4000, 50):
        for count in (20, 60):
            shape = StepShape(count, 4, 1000 + start, 0, pairs(start, count))
            model.observe(shape, true_cost_s(shape) + 1e-6 * shape.prefill_pairs)
    decodes = StepShape(prefill_tokens=0, decode_runs=4, context_tokens=4000, retained_tokens=0)
    for start in (0, 3000):
        count = model.prefill_budget_tokens(decodes, 0.2, start_tokens=start)
        whole = decodes._replace(prefill_tokens=count, prefill_pairs=pairs(start, count))
        assert true_cost_s(whole) + 1e-6 * whole.prefill_pairs == pytest.approx(0.2, rel=0.05)


def test_prefill_gets_its_share_of_the_time_of_the_decodes_though_they_take_the_whole_step() -> None:
    model = CostModel()
    for shape in shapes(200):
        model.observe(shape, true_cost_s(shape))
    decodes = StepShape(prefill_tokens=0, decode_runs=40, context_tokens=1000, retained_tokens=0)
    decodes_s = true_cost_s(decodes)
    assert decodes_s > 0.1
    assert model.prefill_budget_tokens(decodes, 0.1) == 0
    assert model.prefill_budget_tokens(decodes, 0.1, 0.5) == pytest.approx(0.5 * decodes_s / 0.0016, rel=0.1)
    left_s = 1.0 - decodes_s  # more than the share: the share takes nothing from what the step leaves
    assert model.prefill_budget_tokens(decodes, 1.0, 0.5) == pytest.approx(left_s / 0.0016, rel=0.1)


def test_it_answers_before_the_first_step() -> None:
    decodes = StepShape(prefill_tokens=0, decode_runs=1, context_tokens=0, retained_tokens=0)
    assert 0 < CostModel().prefill_budget_tokens(decodes, 0.1) < 512


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


# What drafted tokens cost


def test_a_number_of_drafted_tokens_costs_what_was_measured() -> None:
    costs = DraftCosts()
    costs.observe(num_runs=2, num_drafted=0, step_s=0.05)
    costs.observe(num_runs=2, num_drafted=8, step_s=0.09)
    assert costs.predict_s(2, 0) == pytest.approx(0.05)
    assert costs.predict_s(2, 8) == costs.predict_s(2, 5, 3) == pytest.approx(0.09)


def test_what_was_never_tried_is_believed_to_be_cheap_but_dearer_than_less() -> None:
    costs = DraftCosts()
    costs.observe(num_runs=1, num_drafted=0, step_s=0.05)
    tried = [costs.predict_s(1, num_drafted) for num_drafted in (0, 1, 4, 16)]
    assert tried == sorted(set(tried))
    assert tried[-1] < 2 * 0.05


def test_what_was_never_tried_costs_no_more_than_a_larger_step_that_was() -> None:
    costs = DraftCosts()
    costs.observe(num_runs=1, num_drafted=0, step_s=0.05)
    costs.observe(num_runs=1, num_drafted=16, step_s=0.051)
    assert costs.predict_s(1, 12) == pytest.approx(0.051)
    assert costs.predict_s(1, 64) > 0.051


def test_an_outlier_among_small_steps_is_bounded_by_larger_ones() -> None:
    costs = DraftCosts()
    costs.observe(num_runs=1, num_drafted=4, step_s=5.0)
    costs.observe(num_runs=1, num_drafted=8, step_s=0.06)
    assert costs.predict_s(1, 4) == pytest.approx(0.06)


def test_steps_of_other_numbers_of_runs_say_nothing() -> None:
    costs = DraftCosts()
    costs.observe(num_runs=1, num_drafted=4, step_s=5.0)
    assert costs.predict_s(2, 4) == DraftCosts().predict_s(2, 4)


def test_the_measured_cost_of_drafts_follows_the_machine_but_not_a_single_step() -> None:
    costs = DraftCosts()
    costs.observe(num_runs=1, num_drafted=2, step_s=0.05)
    costs.observe(num_runs=1, num_drafted=2, step_s=0.10)
    assert 0.05 < costs.predict_s(1, 2) < 0.075
    for _ in range(50):
        costs.observe(num_runs=1, num_drafted=2, step_s=0.10)
    assert costs.predict_s(1, 2) == pytest.approx(0.10, rel=0.01)
