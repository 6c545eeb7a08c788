"""The policy of a step, as a table of cases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from appliance.core.traits import ModelTraits
from appliance.engine.batcher import MAX_FORCED_TOKENS, MIN_CHUNK_TOKENS, Work, chunk_tokens, plan_step, smaller_steps


def limits(
    max_sequences: int = 4, max_outputs: int = 64, grid_tokens: int = 1, is_prefill_batched: bool = True
) -> ModelTraits:
    return ModelTraits(
        task="generate",
        vocab_size=512,
        max_context_tokens=8192,
        kv_capacity_tokens=8192,
        max_sequences=64,
        max_step_sequences=max_sequences,
        max_step_tokens=512,
        max_step_outputs=max_outputs,
        chunk_multiple_tokens=grid_tokens,
        copy_cost="shared",
        retain="free",
        can_truncate=True,
        is_batch_invariant=True,
        kv_bytes_per_token=4,
        max_adapters_per_step=0,
        is_prefill_batched=is_prefill_batched,
    )


LIMITS = limits()
DECODE = Work(num_computed=100, num_pending=1)


def prompt(num_tokens: int, num_computed: int = 0) -> Work:
    return Work(num_computed=num_computed, num_pending=num_tokens)


def test_a_prompt_alone_fills_the_step() -> None:
    assert plan_step([prompt(2000)], LIMITS, None) == [512]


def test_decodes_go_first_even_when_they_came_last() -> None:
    assert plan_step([prompt(2000), DECODE, DECODE], LIMITS, 100) == [100, 1, 1]


def test_prompts_share_what_the_decodes_leave_in_their_order() -> None:
    assert plan_step([prompt(300), prompt(300), DECODE], LIMITS, None) == [300, 211, 1]


def test_a_prompt_advances_though_the_decodes_use_up_the_budget() -> None:
    assert plan_step([prompt(2000), DECODE], LIMITS, -50) == [MIN_CHUNK_TOKENS, 1]


def test_a_step_takes_no_more_sequences_than_the_model() -> None:
    assert plan_step([DECODE] * 6, LIMITS, None) == [1, 1, 1, 1, 0, 0]


def test_a_step_asks_for_no_more_rows_than_the_model_returns() -> None:
    assert plan_step([DECODE] * 4, limits(max_sequences=8, max_outputs=2), None) == [1, 1, 0, 0]


def test_chunks_end_on_the_grid_but_for_the_last_of_a_prompt() -> None:
    assert chunk_tokens(prompt(1000, num_computed=64), 200, 64) == 192
    assert chunk_tokens(prompt(150, num_computed=64), 200, 64) == 150


def test_a_budget_below_the_grid_still_lets_a_prompt_advance() -> None:
    assert plan_step([prompt(1000), DECODE], limits(grid_tokens=64), 10) == [64, 1]


def test_where_chunks_are_computed_one_by_one_a_step_takes_one() -> None:
    one_by_one = limits(is_prefill_batched=False)
    assert plan_step([prompt(30), DECODE, prompt(30)], one_by_one, None) == [30, 1, 0]
    assert plan_step([DECODE] * 4 + [prompt(30)], one_by_one, None) == [1, 1, 1, 1, 0]


def test_a_prompts_last_token_is_a_decode_however_the_chunks_before_it_fell() -> None:
    whole = plan_step([prompt(65)], limits(grid_tokens=64), None)
    beside_others = plan_step([prompt(65), DECODE], limits(grid_tokens=64), 64)
    assert whole[0] == beside_others[0] == 64
    assert plan_step([prompt(66)], limits(grid_tokens=64), None) == [66]
    assert plan_step([prompt(65)], LIMITS, None) == [65]


@pytest.mark.parametrize(
    ("traits", "least"),
    [
        (LIMITS, MIN_CHUNK_TOKENS),
        (limits(grid_tokens=64), 64),
        (limits(max_sequences=40), 40),
    ],
)
def test_steps_become_smaller_until_a_prompt_or_a_full_set_of_decodes_would_not_fit(
    traits: ModelTraits, least: int
) -> None:
    sizes = []
    while (smaller := smaller_steps(traits)) is not None:
        traits = smaller
        sizes.append(traits.max_step_tokens)
    assert sizes[0] == 256 and sizes[-1] == least
    assert sizes == sorted(set(sizes), reverse=True)


works = st.lists(st.builds(Work, st.integers(0, 2000), st.integers(1, 3000)), max_size=12)


@given(works, st.none() | st.integers(-1000, 1000))
def test_no_step_breaks_a_limit(candidates: list[Work], budget: int | None) -> None:
    counts = plan_step(candidates, LIMITS, budget)
    assert sum(counts) <= LIMITS.max_step_tokens
    assert sum(count > 0 for count in counts) <= LIMITS.max_step_sequences
    assert all(0 <= count <= work.num_pending for count, work in zip(counts, candidates, strict=True))
    assert not candidates or any(counts)


def written(num_forced: int, num_computed: int = 100) -> Work:
    """A decode with tokens behind it that a grammar forces."""
    return Work(num_computed=num_computed, num_pending=1 + num_forced, num_forced=num_forced)


def test_forced_tokens_go_with_their_decode_before_any_prompt() -> None:
    assert plan_step([prompt(2000), written(9), DECODE], LIMITS, 50) == [50, 10, 1]


def test_many_forced_tokens_are_computed_in_several_steps() -> None:
    assert plan_step([written(100)], LIMITS, None) == [1 + MAX_FORCED_TOKENS]


def test_forced_tokens_never_take_the_place_of_a_decode() -> None:
    tight = replace(LIMITS, max_step_tokens=6)
    assert plan_step([written(30), DECODE, DECODE], tight, None) == [4, 1, 1]


def test_forced_tokens_behind_a_prefix_that_was_lost_are_part_of_a_prompt() -> None:
    assert not Work(num_computed=0, num_pending=50, num_forced=9).is_decode


def test_a_prompt_that_is_scored_takes_the_outputs_that_are_left() -> None:
    scored = Work(num_computed=0, num_pending=500, is_scored=True)
    assert plan_step([scored], LIMITS, None) == [64]
    assert plan_step([scored, DECODE, DECODE], LIMITS, 300) == [62, 1, 1]
    assert plan_step([scored, DECODE], limits(grid_tokens=64), 300) == [63, 1]


def test_a_prompt_behind_one_that_is_scored_waits_for_its_output() -> None:
    scored = Work(num_computed=0, num_pending=500, is_scored=True)
    assert plan_step([scored, prompt(40)], LIMITS, None) == [64, 0]
    assert plan_step([prompt(40), scored], LIMITS, None) == [40, 63]


def test_where_runs_are_not_computed_together_only_one_has_its_forced_tokens_at_once() -> None:
    alone = limits(is_prefill_batched=False)
    assert plan_step([written(9), written(5), DECODE], alone, None) == [10, 1, 1]
