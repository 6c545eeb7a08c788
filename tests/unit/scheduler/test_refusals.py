"""Why a request is turned away or given up."""

import pytest

from appliance.errors import ModelLoading, QueueFull
from appliance.scheduler.claims import Places
from appliance.scheduler.refusals import queue_full, ran_too_long, too_many_choices, waited_too_long

PLACES = Places(max_step_sequences=4, max_sequences=12)


def test_more_choices_than_the_model_can_hold_are_refused_with_both_numbers() -> None:
    assert too_many_choices(12, PLACES) is None
    error = too_many_choices(13, PLACES)
    assert error is not None
    assert (error.status, error.param) == (400, "n")
    assert "13" in error.message
    assert "12" in error.message


@pytest.mark.parametrize(
    ("num_waiting", "mean_duration_s", "retry_after_s"), [(8, 3.0, 6.0), (0, 3.0, 1.0), (256, 9.0, 60.0)]
)
def test_a_full_queue_says_when_it_will_be_worked_off(
    num_waiting: int, mean_duration_s: float, retry_after_s: float
) -> None:
    error = queue_full(num_waiting, mean_duration_s, PLACES)
    assert (error.status, error.retry_after_s) == (429, retry_after_s)


def test_a_deadline_ends_the_wait_and_the_error_tells_for_what_it_waited() -> None:
    assert isinstance(waited_too_long(5.0, "loading"), ModelLoading)
    full = waited_too_long(5.0, "ready")
    assert isinstance(full, QueueFull)
    assert "5.0 s" in full.message


def test_a_deadline_that_passes_after_the_start_says_what_was_written_and_what_to_do() -> None:
    error = ran_too_long(30.0, 57)
    assert (error.status, error.code) == (504, "deadline_exceeded")
    assert "30.0 s; 57 tokens were written; raise deadline_s" in error.message
