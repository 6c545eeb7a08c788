"""Who goes to the worker next. Places of four and two spare."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.request import RequestId
from appliance.scheduler.admission import Decision, decide
from appliance.scheduler.claims import Claim, Demand, Places
from appliance.scheduler.fairness import Shares
from tests.unit.scheduler.builders import claim

PLACES = Places(max_step_sequences=4, max_sequences=12)


def decision(
    *waiting: Claim, running: list[Claim] | None = None, paused: list[Claim] | None = None, now_s: float = 0.0
) -> Decision:
    return decide(Demand(waiting=waiting, running=running or [], paused=paused or []), Shares(), PLACES, now_s)


def started(made: Decision) -> list[RequestId]:
    return [admitted.id for admitted in made.starts]


@pytest.mark.parametrize(
    ("sizes", "num_running", "num_started"),
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
def test_choices_handed_over_fill_the_places_and_two_more(sizes: list[int], num_running: int, num_started: int) -> None:
    queue = [claim(str(number), num_choices=size, arrived=number) for number, size in enumerate(sizes)]
    running = [claim("running", num_choices=num_running)] if num_running else []
    assert started(decision(*queue, running=running)) == [w.id for w in queue[:num_started]]


@given(st.lists(st.integers(1, 12), max_size=12), st.integers(0, 12))
def test_a_worker_never_holds_more_than_its_limit_unless_one_runs_alone(sizes: list[int], num_running: int) -> None:
    queue = [claim(str(number), num_choices=size, arrived=number) for number, size in enumerate(sizes)]
    running = [claim("running", num_choices=num_running)] if num_running else []
    num_started = len(decision(*queue, running=running).starts)
    total = num_running + sum(sizes[:num_started])
    assert not num_started or total <= 6 or (num_running == 0 and num_started == 1)


def test_each_request_is_told_where_it_starts_on_its_callers_account() -> None:
    made = decision(claim("a1", "a"), claim("a2", "a"), claim("b1", "b", weight=2.0), claim("b2", "b", weight=2.0))
    assert {admitted.id: admitted.start_tokens for admitted in made.starts} == {"a1": 0, "b1": 0, "b2": 50, "a2": 100}


def test_what_is_paused_goes_on_before_new_requests_of_its_caller() -> None:
    running = [claim(str(number), "a", arrived=number) for number in range(5)]
    early, late = claim("early", "a", arrived=5), claim("late", "a", arrived=6, since=50)
    made = decision(early, paused=[late], running=running, now_s=100.0)
    assert (made.resumes, started(made)) == (("late",), [])


def test_of_what_is_paused_the_first_to_come_goes_on_first() -> None:
    running = [claim(str(number), "a", arrived=number) for number in range(5)]
    paused = [claim("late", "a", arrived=6, since=7), claim("early", "a", arrived=5, since=8)]
    assert decision(paused=paused, running=running, now_s=9.0).resumes == ("early",)


def test_a_newcomer_goes_before_what_is_paused_of_a_caller_with_work() -> None:
    running = [claim(str(number), "a", arrived=number) for number in range(5)]
    made = decision(claim("new", "b", arrived=9), paused=[claim("old", "a", arrived=5)], running=running, now_s=9.0)
    assert (made.resumes, started(made)) == ((), ["new"])


def test_a_large_request_of_a_caller_with_work_does_not_keep_a_newcomer_waiting() -> None:
    running = [claim(str(number), "a", arrived=number) for number in range(5)]
    queue = [claim("large", "a", 6, priority="interactive", arrived=8), claim("new", "b", arrived=9)]
    made = decision(*queue, running=[*running, claim("5", "a", arrived=5)])
    assert (made.pauses, started(made)) == (("5",), ["new"])


def test_a_free_place_is_kept_for_a_large_request_and_a_newcomer_takes_one_that_is_held() -> None:
    running = [claim(str(number), "a", arrived=number) for number in range(5)]
    queue = [claim("large", "a", 6, priority="interactive", arrived=8), claim("new", "b", arrived=9)]
    assert decision(*queue, running=running) == Decision()


def test_a_newcomer_does_not_overtake_another_that_does_not_fit() -> None:
    running = [claim(str(number), "a", arrived=number) for number in range(6)]
    queue = [claim("large", "c", 9, arrived=8, cost_tokens=1), claim("new", "b", arrived=9)]
    assert decision(*queue, running=running, now_s=9.0) == Decision()


callers = st.sampled_from(["a", "b", "c"])
claims = st.builds(
    claim,
    id_=st.integers(0, 10**9).map(str),
    caller=callers,
    num_choices=st.integers(1, 8),
    priority=st.sampled_from(["interactive", "normal", "batch"]),
    cost_tokens=st.integers(1, 500),
    arrived=st.integers(0, 400),
    can_pause=st.booleans(),
    rests_until=st.integers(390, 410),
)


@given(st.lists(claims, max_size=14, unique_by=lambda c: c.id), st.integers(0, 6), st.integers(0, 3))
def test_whatever_is_decided_fits_and_pauses_nothing_in_vain(
    mixed: list[Claim], num_running: int, num_paused: int
) -> None:
    running, others = [c for c in mixed[:num_running] if c.num_choices == 1], mixed[num_running:]
    paused, waiting = others[:num_paused], sorted(others[num_paused:], key=lambda c: c.arrived_s)
    made = decision(*waiting, running=running, paused=paused, now_s=400.0)
    by_id = {c.id: c for c in mixed}
    kept = [c for c in running if c.id not in made.pauses]
    taken = [by_id[id] for id in [*made.resumes, *started(made)]]
    total = sum(c.num_choices for c in [*kept, *taken])
    assert total <= 6 or (len(taken) == 1 and not kept)
    assert set(made.pauses) <= {c.id for c in running if c.can_pause}
    assert not set(made.pauses) & set(made.resumes)
    assert bool(taken) >= bool(made.pauses)
    assert all(by_id[id].rank >= min(c.rank for c in taken) for id in made.pauses)
