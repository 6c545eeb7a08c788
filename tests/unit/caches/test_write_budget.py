"""What may be written in a day."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.caches.write_budget import WriteBudget

DAY_S = 86_400


def test_a_day_is_written_at_once_and_then_as_fast_as_it_refills() -> None:
    budget = WriteBudget(1000, 0)
    assert budget.allows(1000, 0)
    assert not budget.allows(1001, 0)
    budget.take(1000, 0)
    assert not budget.allows(1, 0)
    assert budget.allows(500, DAY_S / 2)
    assert not budget.allows(501, DAY_S / 2)
    assert budget.writable_bytes(10 * DAY_S) == 1000


def test_a_limit_of_zero_allows_nothing() -> None:
    assert not WriteBudget(0, 0).allows(1, DAY_S)


def test_a_clock_that_was_set_back_adds_nothing_and_goes_on_from_there() -> None:
    budget = WriteBudget(1000, 10 * DAY_S, writable_bytes=0)
    assert budget.writable_bytes(0) == 0
    assert budget.writable_bytes(DAY_S / 4) == 250


@given(steps=st.lists(st.tuples(st.floats(-DAY_S, DAY_S), st.integers(0, 2000)), max_size=50))
def test_never_more_is_written_than_a_day_and_what_refilled(steps: list[tuple[float, int]]) -> None:
    budget, now_s, passed_s, written_bytes = WriteBudget(1000, 0.0), 0.0, 0.0, 0
    for step_s, num_bytes in steps:
        now_s, passed_s = now_s + step_s, passed_s + max(0.0, step_s)
        if budget.allows(num_bytes, now_s):
            budget.take(num_bytes, now_s)
            written_bytes += num_bytes
        assert written_bytes <= 1000 + passed_s * 1000 / DAY_S + 1e-3
