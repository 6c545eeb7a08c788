"""Who makes way for whom. Places of four and two spare, all of them held."""

from typing import Any

from appliance.scheduler.claims import Claim, Places
from appliance.scheduler.fairness import Shares
from appliance.scheduler.order import Ranked
from appliance.scheduler.pausing import Held
from tests.unit.scheduler.builders import claim

PLACES = Places(max_step_sequences=4, max_sequences=12)


def paused_for(newcomer: Claim, *running: Claim, now_s: float = 100.0, starts_at: float = 0.0) -> list[str]:
    held = Held(running, PLACES, Shares())
    return [victim.id for victim in held.make_way_for(Ranked(newcomer, starts_at, starts_at), now_s)]


def six(caller: str = "a", **fields: Any) -> list[Claim]:
    return [claim(str(number), caller, arrived=number, **fields) for number in range(6)]


def test_the_youngest_batch_request_makes_way_for_an_interactive_one() -> None:
    assert paused_for(claim("new", "a", priority="interactive"), *six(priority="batch")) == ["5"]


def test_the_youngest_batch_request_makes_way_for_a_normal_one() -> None:
    assert paused_for(claim("new", "a"), *six(priority="batch")) == ["5"]


def test_as_many_make_way_as_are_needed_and_no_more() -> None:
    assert paused_for(claim("new", "a", 3), *six(priority="batch")) == ["5", "4", "3"]
    large = [
        claim("small", num_choices=1, priority="batch", arrived=9),
        claim("large", num_choices=5, priority="batch"),
    ]
    assert paused_for(claim("new", "a", 4), *large) == ["large"]


def test_nobody_makes_way_when_that_is_not_enough() -> None:
    running = [*six(priority="batch")[:2], *six(priority="interactive")[2:]]
    assert paused_for(claim("new", "a", 3, priority="interactive"), *running) == []


def test_nobody_makes_way_where_there_is_room() -> None:
    assert paused_for(claim("new", "b", priority="interactive"), *six(priority="batch")[:5]) == []


def test_a_request_larger_than_all_places_has_them_alone_once_all_is_batch_work() -> None:
    assert len(paused_for(claim("new", "a", 9), *six(priority="batch"))) == 6


def test_within_a_class_a_caller_with_work_waits_for_its_turn() -> None:
    assert paused_for(claim("new", "a"), *six("a")) == []
    assert paused_for(claim("new", "b"), claim("own", "b"), *six("a")[:5]) == []


def test_a_caller_without_a_place_gets_one_of_the_caller_with_the_most() -> None:
    running = [claim("c1", "c", arrived=9), claim("c2", "c", arrived=9), *six("a")[:4]]
    assert paused_for(claim("new", "b"), *running) == ["3"]


def test_of_two_callers_that_hold_much_the_one_with_the_most_makes_way() -> None:
    places = Places(max_step_sequences=8, max_sequences=12)
    running = [*six("a"), *(claim(f"c{number}", "c", arrived=9) for number in range(4))]
    held = Held(running, places, Shares())
    assert [victim.id for victim in held.make_way_for(Ranked(claim("new", "b"), 0, 0), 100)] == ["5"]


def test_a_caller_without_a_place_waits_where_all_hold_about_as_many() -> None:
    running = [claim(f"{caller}{number}", caller) for caller in "acd" for number in range(2)]
    assert paused_for(claim("new", "b"), *running) == []
    assert paused_for(claim("new", "b", 2), *six("a")[:3], *six("c")[:3]) == []


def test_the_share_of_a_caller_grows_with_its_weight() -> None:
    assert paused_for(claim("new", "b"), *six("a", weight=3.0)) == []
    assert paused_for(claim("new", "b", weight=2.0), *six("a", weight=2.0)) == ["5"]


def test_a_caller_is_never_left_with_less_than_the_newcomer_takes() -> None:
    assert paused_for(claim("new", "b"), claim("all", "a", num_choices=6), starts_at=-1) == []
    assert paused_for(claim("new", "b"), claim("1", "a", 3), claim("2", "a", 3, arrived=1)) == ["2"]


def test_a_caller_that_was_served_more_than_the_one_with_the_most_waits_though_it_holds_nothing() -> None:
    assert paused_for(claim("new", "b"), *six("a", cost_tokens=100), starts_at=499) == ["5"]
    assert paused_for(claim("new", "b"), *six("a", cost_tokens=100), starts_at=500) == []


def test_a_higher_class_does_not_make_way_for_a_newcomer_of_a_lower_one() -> None:
    assert paused_for(claim("new", "b"), *six("a", priority="interactive")) == []
    assert paused_for(claim("new", "b", priority="interactive"), *six("a")) == ["5"]


def test_what_was_resumed_just_now_stays_unless_a_higher_class_wants_its_place() -> None:
    resting = six("a", rests_until=101.0)
    assert paused_for(claim("new", "b"), *resting) == []
    assert paused_for(claim("new", "b"), *resting, now_s=101.0) == ["5"]
    assert paused_for(claim("new", "b", priority="interactive"), *resting) == ["5"]


def test_what_got_its_place_after_too_long_a_wait_keeps_it_for_a_moment() -> None:
    aged = six("a", priority="batch", rests_until=101.0, is_aged=True)
    assert paused_for(claim("new", "b", priority="interactive"), *aged) == []
    assert paused_for(claim("new", "b", priority="interactive"), *aged, now_s=101.0) == ["5"]


def test_rows_of_an_encoder_are_never_paused() -> None:
    assert paused_for(claim("new", "b", priority="interactive"), *six("a", priority="batch", can_pause=False)) == []
