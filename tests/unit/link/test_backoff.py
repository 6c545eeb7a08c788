"""A worker that keeps failing is started ever more slowly; one that did well starts over."""

import pytest

from appliance.link.backoff import HEALTHY_AFTER_S, MAX_DELAY_S, Backoff, delay_s


@pytest.mark.parametrize(
    ("num_failures", "expected_s"),
    [(0, 0), (1, 0), (2, 1), (3, 2), (4, 4), (5, 8), (6, 16), (7, 32), (8, 60), (9, 60), (10_000, 60)],
)
def test_the_first_restart_is_immediate_and_the_wait_doubles_up_to_a_minute(
    num_failures: int, expected_s: float
) -> None:
    assert delay_s(num_failures) == expected_s


def test_failures_in_a_row_add_up() -> None:
    backoff = Backoff()
    retries_s = []
    for _ in range(4):
        backoff = backoff.after_failure(now_s=100.0, healthy_s=0.0)
        retries_s.append(backoff.retry_at_s)
    assert retries_s == [100.0, 101.0, 102.0, 104.0]


def test_a_worker_that_did_well_for_long_starts_over() -> None:
    backoff = Backoff(num_failures=9).after_failure(now_s=5.0, healthy_s=HEALTHY_AFTER_S)
    assert (backoff.num_failures, backoff.retry_at_s) == (1, 5.0)


def test_a_worker_that_did_well_for_a_moment_does_not_start_over() -> None:
    backoff = Backoff(num_failures=9).after_failure(now_s=5.0, healthy_s=HEALTHY_AFTER_S - 1)
    assert backoff.retry_at_s == 5.0 + MAX_DELAY_S
