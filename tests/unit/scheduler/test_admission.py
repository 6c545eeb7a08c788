"""Who goes to the worker next, and who is turned away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.request import Priority, RequestId
from appliance.errors import ModelLoading, QueueFull
from appliance.scheduler.admission import (
    Places,
    Waiting,
    choose,
    in_order,
    num_ahead,
    past_deadline,
    queue_full,
    too_many_choices,
)

PLACES = Places(max_step_sequences=4, max_sequences=12)


def waiting(
    id_: str, num_choices: int = 1, *, arrived: float = 0, priority: Priority = "normal", deadline: float | None = None
) -> Waiting:
    return Waiting(
        id=RequestId(id_), num_choices=num_choices, priority=priority, arrived_s=arrived, deadline_at_s=deadline
    )


@pytest.mark.parametrize(
    ("sizes", "num_running", "num_chosen"),
    [
        ([1] * 9, 0, 6),
        ([1] * 9, 4, 2),
        ([1] * 9, 6, 0),
        ([3, 3, 1], 0, 2),
        ([4, 3, 1], 0, 1),
        ([9, 1], 0, 1),
        ([9], 1, 0),
        ([1, 9], 0, 1),
        ([1], 9, 0),
        ([], 0, 0),
    ],
    ids=[
        "as many as a step takes, and two",
        "what runs counts",
        "no place",
        "choices are counted, not requests",
        "nothing overtakes the first that does not fit",
        "a larger one runs alone",
        "a larger one waits until nothing runs",
        "a larger one is not joined to others",
        "nothing joins a larger one",
        "nobody waits",
    ],
)
def test_choices_handed_over_fill_the_places_and_two_more(sizes: list[int], num_running: int, num_chosen: int) -> None:
    queue = [waiting(str(number), size, arrived=number) for number, size in enumerate(sizes)]
    assert choose(queue, num_running, PLACES) == tuple(w.id for w in queue[:num_chosen])


def test_higher_classes_go_first_and_within_a_class_the_first_to_come() -> None:
    queue = [
        waiting("batch", priority="batch", arrived=0),
        waiting("late", arrived=3),
        waiting("early", arrived=2),
        waiting("now", priority="interactive", arrived=9),
    ]
    assert [w.id for w in in_order(queue)] == ["now", "early", "late", "batch"]
    assert [num_ahead(queue, w.id) for w in in_order(queue)] == [0, 1, 2, 3]
    assert num_ahead(queue, RequestId("unknown")) is None


@given(st.lists(st.integers(1, 12), max_size=12), st.integers(0, 12))
def test_a_worker_never_holds_more_than_its_limit_unless_one_runs_alone(sizes: list[int], num_running: int) -> None:
    queue = [waiting(str(number), size, arrived=number) for number, size in enumerate(sizes)]
    chosen = choose(queue, num_running, PLACES)
    total = num_running + sum(sizes[: len(chosen)])
    assert not chosen or total <= 6 or (num_running == 0 and len(chosen) == 1)


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
    late = waiting("late", arrived=10.0, deadline=15.0)
    assert past_deadline(late, "loading", 14.9) is None
    assert isinstance(past_deadline(late, "loading", 15.0), ModelLoading)
    full = past_deadline(late, "ready", 15.0)
    assert isinstance(full, QueueFull)
    assert "5.0 s" in full.message
    assert past_deadline(waiting("patient"), "loading", 1e9) is None
