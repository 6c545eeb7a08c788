"""In which order requests get places."""

import pytest

from appliance.core.request import Priority
from appliance.scheduler.claims import Claim, Demand
from appliance.scheduler.fairness import Shares
from appliance.scheduler.order import AGEING_TOKENS_PER_S, PATIENCE_S, has_aged, in_order
from tests.unit.scheduler.builders import claim


def order(
    *waiting: Claim, running: tuple[Claim, ...] = (), shares: Shares | None = None, now_s: float = 0
) -> list[str]:
    demand = Demand(waiting=waiting, running=running)
    return [ranked.claim.id for ranked in in_order(demand, shares or Shares(), now_s)]


def test_higher_classes_go_first_and_within_a_class_the_first_to_come() -> None:
    queue = (
        claim("batch", priority="batch"),
        claim("early", arrived=2),
        claim("late", arrived=3),
        claim("now", priority="interactive", arrived=9),
    )
    assert order(*queue, now_s=9) == ["now", "early", "late", "batch"]


def test_callers_of_equal_weight_take_turns() -> None:
    many = [claim(f"a{number}", "a", arrived=number) for number in range(3)]
    few = [claim(f"b{number}", "b", arrived=number) for number in range(3, 5)]
    assert order(*many, *few, now_s=5) == ["a0", "b3", "a1", "b4", "a2"]


def test_a_caller_of_twice_the_weight_gets_two_turns_for_one() -> None:
    heavy = [claim(f"h{number}", "h", weight=2) for number in range(4)]
    light = [claim(f"l{number}", "l") for number in range(2)]
    assert order(*heavy, *light) == ["h0", "l0", "h1", "h2", "l1", "h3"]


def test_turns_are_counted_in_tokens_not_in_requests() -> None:
    long = [claim(f"long{number}", "a", cost_tokens=300) for number in range(2)]
    short = [claim(f"short{number}", "b", cost_tokens=100) for number in range(4)]
    assert order(*long, *short) == ["long0", "short0", "short1", "short2", "long1", "short3"]


def test_what_a_caller_has_running_counts() -> None:
    running = (claim("r", "a"),)
    assert order(claim("a", "a"), claim("b", "b", arrived=1), running=running, now_s=1) == ["b", "a"]


def test_what_a_caller_used_before_counts() -> None:
    shares = Shares()
    for caller in ("a", "a", "b"):
        shares.enter(caller)
    shares.leave("a", 1.0, used_tokens=50)
    assert order(claim("a", "a"), claim("b", "b"), shares=shares) == ["b", "a"]


def test_waiting_moves_a_request_forward_within_its_class() -> None:
    running = (claim("r", "a", cost_tokens=100),)
    waited = claim("a", "a", arrived=0)
    just_late = claim("b", "b", arrived=100 / AGEING_TOKENS_PER_S - 1)
    late = claim("b", "b", arrived=100 / AGEING_TOKENS_PER_S + 1)
    assert order(waited, just_late, running=running, now_s=50) == ["b", "a"]
    assert order(waited, late, running=running, now_s=50) == ["a", "b"]


@pytest.mark.parametrize(("lower", "higher"), [("normal", "interactive"), ("batch", "normal")])
def test_a_class_that_waited_too_long_competes_with_the_one_above(lower: Priority, higher: Priority) -> None:
    old = claim("old", "a", priority=lower)
    running = (claim("r", "b", cost_tokens=10**6),)
    patience_s = PATIENCE_S[old.priority]
    for now_s, expected in ((patience_s - 1, ["new", "old"]), (patience_s, ["old", "new"])):
        assert order(old, claim("new", "b", priority=higher, arrived=now_s), running=running, now_s=now_s) == expected


def test_batch_never_goes_before_interactive() -> None:
    queue = (
        claim("batch", "a", priority="batch"),
        claim("normal", "c"),
        claim("new", "b", priority="interactive", arrived=400),
    )
    running = (claim("r", "c", cost_tokens=10**6),)
    assert order(*queue, running=running, now_s=400) == ["new", "batch", "normal"]


def test_a_long_queue_of_one_caller_does_not_carry_it_past_others_of_its_class() -> None:
    many = [claim(f"a{number}", "a", arrived=0) for number in range(50)]
    running = tuple(claim(f"r{number}", "a") for number in range(6))
    assert order(*many, claim("b", "b", arrived=40), running=running, now_s=40)[0] == "b"


def test_only_the_classes_below_interactive_lose_patience() -> None:
    assert has_aged(claim("a", priority="normal"), 30.0)
    assert not has_aged(claim("a", priority="batch"), 299.0)
    assert not has_aged(claim("a", priority="interactive"), 10**9)
