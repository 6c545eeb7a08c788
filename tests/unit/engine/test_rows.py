import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from appliance.backends.base import LogitsArray
from appliance.engine.rows import at_least, greatest, largest, log_sum_exp
from appliance.errors import BackendError

ENTRIES = st.one_of(st.integers(-4, 4).map(float), st.floats(-30, 30, width=32), st.just(-math.inf))
ROWS = arrays.arrays(np.float32, st.integers(1, 700), elements=ENTRIES).filter(lambda row: row.max() > -math.inf)


def sorted_plainly(row: LogitsArray) -> list[int]:
    return [i for i in sorted(range(row.size), key=lambda i: (-row[i], i)) if row[i] > -math.inf]


@given(ROWS, st.integers(1, 800))
def test_the_largest_entries_are_those_of_a_plain_sort(row: LogitsArray, count: int) -> None:
    ids, values = largest(row, count)
    assert ids.tolist() == sorted_plainly(row)[:count]
    assert values.tolist() == row[ids].tolist()


@pytest.mark.parametrize("size", [64 * 500, 64 * 500 + 63, 50_021])
@pytest.mark.parametrize("count", [1, 40, 256, 5000])
def test_block_maxima_are_exact_at_real_sizes_and_with_ties(size: int, count: int) -> None:
    row = np.random.default_rng(size).normal(0, 3, size).round(2).astype(np.float32)
    assert largest(row, count)[0].tolist() == sorted_plainly(row)[:count]


def test_largest_entries_in_one_block_and_in_the_left_over_tail_are_all_found() -> None:
    row = np.zeros(64 * 300 + 5, np.float32)
    expected = [7 + 300 * line for line in range(64)] + [row.size - 1]
    row[expected] = 9
    assert largest(row, 65)[0].tolist() == expected


@given(ROWS, st.floats(0, 40))
def test_entries_near_the_largest_are_all_found(row: LogitsArray, margin: float) -> None:
    threshold = np.float32(float(row.max()) - margin)
    assert at_least(row, margin)[0].tolist() == [i for i in sorted_plainly(row) if row[i] >= threshold]


@given(ROWS)
def test_log_sum_exp_agrees_with_double_precision(row: LogitsArray) -> None:
    exact = float(np.logaddexp.reduce(row.astype(np.float64)))
    assert log_sum_exp(row) == pytest.approx(exact, abs=1e-5)


def test_log_sum_exp_covers_rows_longer_than_its_chunk() -> None:
    row = np.random.default_rng(1).normal(0, 5, 100_001).astype(np.float32)
    assert log_sum_exp(row) == pytest.approx(float(np.logaddexp.reduce(row.astype(np.float64))), abs=1e-4)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
@pytest.mark.parametrize("place", [0, 150, 200])
def test_a_row_with_a_logit_that_is_no_number_is_refused_by_every_function(wrong: float, place: int) -> None:
    row = np.zeros(201, np.float32)
    row[place] = wrong
    for look in (greatest, log_sum_exp, lambda r: largest(r, 3), lambda r: largest(r, 900), lambda r: at_least(r, 1)):
        with pytest.raises(BackendError, match="a logit that is"):
            look(row)


def test_a_row_without_any_possible_token_is_refused() -> None:
    row = np.full(201, -np.inf, np.float32)
    for look in (greatest, log_sum_exp, lambda r: largest(r, 3), lambda r: at_least(r, 1)):
        with pytest.raises(BackendError, match="no token is left"):
            look(row)
