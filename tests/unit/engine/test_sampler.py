import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from appliance.backends.base import LogitsArray, TokenArray
from appliance.core.sampling import SamplingParams
from appliance.engine.sampler import Sampler, Scratch
from appliance.errors import BackendError, InvalidRequest
from tests.unit.engine.reference import borders, distribution

NO_TOKENS = np.empty(0, np.int32)
ENTRIES = st.one_of(st.integers(-4, 4).map(float), st.floats(-8, 8, width=32), st.just(-math.inf))
ROWS = arrays.arrays(np.float32, st.integers(1, 150), elements=ENTRIES).filter(lambda row: row.max() > -math.inf)
PARAMS = st.builds(
    SamplingParams,
    temperature=st.sampled_from([0.3, 1.0, 1.7]),
    top_k=st.sampled_from([0, 0, 1, 5, 40, 1000]),
    top_p=st.sampled_from([1.0, 1.0, 0.0, 0.37, 0.93]),
    min_p=st.sampled_from([0.0, 0.0, 0.05, 0.3, 1.0]),
    seed=st.integers(0, 5),
)


def sampler_of(
    params: SamplingParams,
    vocab_size: int,
    *,
    choice: int = 0,
    prompt: TokenArray = NO_TOKENS,
    banned: TokenArray = NO_TOKENS,
) -> Sampler:
    return Sampler(params, vocab_size, choice, Scratch(vocab_size), prompt, banned)


def draws_of(sampler: Sampler, row: LogitsArray, count: int) -> list[int]:
    return [sampler.sample(row.copy()) for _ in range(count)]


def assert_draws_follow(probabilities: np.ndarray, draws: list[int]) -> None:
    """Compare counts with expectations by chi-square; 5 standard deviations leave room for no honest failure."""
    counts = np.bincount(draws, minlength=probabilities.size)
    assert not counts[probabilities == 0].any()
    expected = probabilities * len(draws)
    common = expected >= 5
    seen = np.append(counts[common], counts[~common].sum())
    wanted = np.append(expected[common], expected[~common].sum())
    seen, wanted = seen[wanted > 0], wanted[wanted > 0]
    chi_square = ((seen - wanted) ** 2 / wanted).sum()
    freedom = max(1, wanted.size - 1)
    assert chi_square < freedom + 5 * math.sqrt(2 * freedom)


@given(ROWS, PARAMS)
def test_only_tokens_that_the_filters_leave_are_drawn(row: LogitsArray, params: SamplingParams) -> None:
    assume(params.top_p in (0, 1) or np.abs(borders(row, params) - params.top_p).min() > 1e-5)
    probabilities = distribution(row, params)
    assert all(probabilities[token] > 0 for token in draws_of(sampler_of(params, row.size), row, 8))


@pytest.mark.parametrize(
    "params",
    [
        SamplingParams(),
        SamplingParams(temperature=0.6),
        SamplingParams(temperature=0.8, top_k=40, top_p=0.95),
        SamplingParams(top_p=0.8),
        SamplingParams(temperature=2.5, top_p=0.7),
        SamplingParams(min_p=0.1),
        SamplingParams(min_p=0.02, top_p=0.8),
        SamplingParams(typical_p=0.7),
        SamplingParams(typical_p=0.8, top_k=50, top_p=0.9, min_p=0.02),
        SamplingParams(top_k=1000),
    ],
    ids=repr,
)
@pytest.mark.parametrize("size", [64 * 12, 817])
def test_draws_follow_the_exact_distribution(params: SamplingParams, size: int) -> None:
    row = np.random.default_rng(3).normal(0, 2, size).astype(np.float32)
    row[::7] = -np.inf
    seeded = SamplingParams(**{name: getattr(params, name) for name in params.__struct_fields__} | {"seed": 11})
    assert_draws_follow(distribution(row, params), draws_of(sampler_of(seeded, size), row, 4000))


def test_a_nucleus_wider_than_the_candidates_is_drawn_exactly() -> None:
    row = np.linspace(0, 1, 1500).astype(np.float32)
    params = SamplingParams(top_p=0.5, seed=2)
    assert np.count_nonzero(distribution(row, params)) > 256
    assert_draws_follow(distribution(row, params), draws_of(sampler_of(params, row.size), row, 8000))


def test_a_flat_row_gives_the_nucleus_to_the_lower_ids() -> None:
    params = SamplingParams(top_p=0.5, seed=2)
    draws = draws_of(sampler_of(params, 1000), np.zeros(1000, np.float32), 2000)
    assert max(draws) < 500
    assert len(set(draws)) > 450


@given(ROWS)
def test_temperature_zero_takes_the_likeliest_token(row: LogitsArray) -> None:
    assert sampler_of(SamplingParams(temperature=0), row.size).sample(row.copy()) == int(row.argmax())


@pytest.mark.parametrize("temperature", [1e-6, 1e-3])
def test_a_tiny_temperature_is_as_good_as_greedy(temperature: float) -> None:
    row = np.array([1, 3, 2.9, -50], np.float32)
    assert set(draws_of(sampler_of(SamplingParams(temperature=temperature), 4), row, 50)) == {1}


def test_a_seed_repeats_its_draws_and_tells_choices_apart() -> None:
    row, params = np.zeros(500, np.float32), SamplingParams(seed=-7)
    first, again, other = (draws_of(sampler_of(params, 500, choice=choice), row, 20) for choice in (0, 0, 1))
    assert first == again
    assert first != other


def test_without_a_seed_two_samplers_differ() -> None:
    row = np.zeros(500, np.float32)
    first, second = (draws_of(sampler_of(SamplingParams(), 500), row, 20) for _ in range(2))
    assert first != second


def test_bias_moves_a_token_before_everything_else() -> None:
    greedy = SamplingParams(temperature=0, logit_bias={2: 5.0, 0: -100.0})
    assert sampler_of(greedy, 4).sample(np.array([4, 3, 0, 1], np.float32)) == 2


@pytest.mark.parametrize("token", [-1, 4])
def test_bias_for_a_token_outside_the_vocabulary_is_refused(token: int) -> None:
    with pytest.raises(InvalidRequest, match=f"token {token}, but this model's tokens are 0 to 3") as refused:
        sampler_of(SamplingParams(logit_bias={token: 1.0}), 4)
    assert refused.value.param == "logit_bias"


def test_presence_counts_a_token_once_and_frequency_each_time() -> None:
    params = SamplingParams(temperature=0, presence_penalty=1.0, frequency_penalty=0.5)
    sampler = sampler_of(params, 3, prompt=np.array([2], np.int32))
    for token in (0, 1, 0):
        sampler.accept(token)
    row = np.array([10, 10, 10], np.float32)
    sampler.sample(row)
    assert row.tolist() == [8, 8.5, 10]


def test_more_kinds_of_tokens_than_first_expected_are_all_counted() -> None:
    sampler = sampler_of(SamplingParams(temperature=0, frequency_penalty=1.0), 300)
    for token in [*range(200), *range(100)]:
        sampler.accept(token)
    row = np.zeros(300, np.float32)
    sampler.sample(row)
    assert row.tolist() == [-2] * 100 + [-1] * 100 + [0] * 100


def test_the_repeat_penalty_counts_prompt_and_output_within_its_window() -> None:
    window = np.arange(64, dtype=np.int32)
    sampler = sampler_of(SamplingParams(temperature=0, repeat_penalty=2.0), 100, prompt=window)
    sampler.accept(80)
    sampler.accept(80)
    row = np.full(100, 4, np.float32)
    row[3] = -4
    sampler.sample(row)
    assert [row[i] for i in (0, 1, 2, 3, 80, 81)] == [4, 4, 2, -8, 2, 4]


@pytest.mark.parametrize(("window", "penalized"), [(1, {5}), (2, {3, 5}), (2**31 - 1, {0, 1, 3, 5})])
def test_the_window_of_the_repeat_penalty_is_as_long_as_asked(window: int, penalized: set[int]) -> None:
    params = SamplingParams(temperature=0, repeat_penalty=2.0, repeat_window_tokens=window)
    sampler = sampler_of(params, 8, prompt=np.array([0, 1, 3], np.int32))
    sampler.accept(5)
    row = np.full(8, 4, np.float32)
    sampler.sample(row)
    assert {int(token) for token in np.flatnonzero(row == 2)} == penalized


def test_banned_tokens_are_never_chosen_even_with_a_bias_for_them() -> None:
    params = SamplingParams(temperature=0, logit_bias={1: 100.0})
    assert sampler_of(params, 3, banned=np.array([1], np.int32)).sample(np.array([1, 9, 2], np.float32)) == 2


@pytest.mark.parametrize(
    "params",
    [
        SamplingParams(temperature=0),
        SamplingParams(),
        SamplingParams(top_k=5),
        SamplingParams(top_p=0.5),
        SamplingParams(min_p=0.1),
        SamplingParams(typical_p=0.5),
    ],
    ids=repr,
)
@pytest.mark.parametrize(("wrong", "words"), [(math.nan, "a logit that is nan"), (-math.inf, "no token is left")])
def test_rows_that_nothing_can_be_drawn_from_are_an_error(params: SamplingParams, wrong: float, words: str) -> None:
    row = np.full(300, wrong, np.float32)
    with pytest.raises(BackendError, match=words):
        sampler_of(params, 300).sample(row)


def test_rows_of_different_sequences_share_one_scratch() -> None:
    scratch, params = Scratch(300), SamplingParams(seed=1)
    peaks = [np.full(300, -40, np.float32) for _ in range(3)]
    for token, row in enumerate(peaks):
        row[token] = 0
    samplers = [Sampler(params, 300, choice, scratch, NO_TOKENS) for choice in range(3)]
    assert [s.sample(row) for s, row in zip(samplers, peaks, strict=True)] == [0, 1, 2]
