"""Everybody gets his share of the steps, by weight, and nobody is paid for time in which he asked for nothing."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.engine.shares import Shares


def serve(shares: Shares, weights: dict[str, float], num_steps: int, num_tokens: int = 1) -> dict[str, int]:
    """Give each step to whoever was given least; return the tokens of each."""
    tokens = dict.fromkeys(weights, 0)
    for _ in range(num_steps):
        caller = min(weights, key=shares.given)
        shares.charge(caller, num_tokens, weights[caller])
        tokens[caller] += num_tokens
    return tokens


def test_callers_of_the_same_weight_get_the_same() -> None:
    shares = Shares()
    for caller in "abc":
        shares.enter(caller)
    assert serve(shares, {"a": 1.0, "b": 1.0, "c": 1.0}, 300) == {"a": 100, "b": 100, "c": 100}


def test_a_caller_of_three_times_the_weight_gets_three_times_as_much() -> None:
    shares = Shares()
    shares.enter("a")
    shares.enter("b")
    assert serve(shares, {"a": 3.0, "b": 1.0}, 400) == {"a": 300, "b": 100}


def test_many_sequences_bring_their_caller_no_more() -> None:
    shares = Shares()
    for _ in range(50):
        shares.enter("many")
    shares.enter("one")
    assert serve(shares, {"many": 1.0, "one": 1.0}, 100) == {"many": 50, "one": 50}


def test_who_comes_late_begins_beside_the_others_and_is_not_paid_for_the_past() -> None:
    shares = Shares()
    shares.enter("a")
    serve(shares, {"a": 1.0}, 1000)
    shares.enter("b")
    assert shares.given("b") == shares.given("a")
    assert serve(shares, {"a": 1.0, "b": 1.0}, 100) == {"a": 50, "b": 50}


def test_who_comes_begins_where_the_one_who_was_given_least_stands() -> None:
    shares = Shares()
    shares.enter("a")
    shares.enter("b")
    shares.charge("a", 10, 1.0)
    shares.charge("b", 4, 1.0)
    shares.enter("c")
    assert shares.given("c") == 4.0


def test_another_sequence_of_a_caller_changes_nothing() -> None:
    shares = Shares()
    shares.enter("a")
    shares.enter("b")
    shares.charge("a", 10, 1.0)
    shares.enter("a")
    assert shares.given("a") == 10.0


def test_a_caller_is_there_until_the_last_of_his_sequences_leaves() -> None:
    shares = Shares()
    shares.enter("a")
    shares.enter("a")
    shares.leave("a")
    assert len(shares) == 1
    shares.leave("a")
    assert len(shares) == 0
    shares.enter("a")
    assert shares.given("a") == 0.0


@given(
    st.lists(st.floats(0.25, 4.0), min_size=2, max_size=5),
    st.lists(st.integers(1, 64), min_size=1, max_size=200),
)
def test_no_two_callers_are_ever_further_apart_than_the_largest_step(weights: list[float], steps: list[int]) -> None:
    shares = Shares()
    callers = {str(number): weight for number, weight in enumerate(weights)}
    for caller in callers:
        shares.enter(caller)
    for num_tokens in steps:
        serve(shares, callers, 1, num_tokens)
        given_all = [shares.given(caller) for caller in callers]
        assert max(given_all) - min(given_all) <= max(steps) / min(weights) * (1 + 1e-9)
