"""Whose adapters the next step has: turns of a few steps, nobody left out, and what can wait waits."""

from collections import Counter

from appliance.engine.adapters import AdapterKey
from appliance.engine.rotation import LATER_EVERY, STEPS_A_TURN, Rotation

BASE: AdapterKey = ()
FIRST: AdapterKey = (("sha256:1", 1.0),)
SECOND: AdapterKey = (("sha256:2", 1.0),)


def steps(rotation: Rotation, ranks: dict[AdapterKey, int], count: int) -> list[AdapterKey]:
    return [rotation.next(ranks) for _ in range(count)]


def longest_wait(chosen: list[AdapterKey], key: AdapterKey) -> int:
    """Return the most steps in a row that a set was left out of."""
    waits, wait = [0], 0
    for each in chosen:
        wait = 0 if each == key else wait + 1
        waits.append(wait)
    return max(waits)


def test_a_set_alone_has_every_step() -> None:
    assert steps(Rotation(), {FIRST: 1}, 10) == [FIRST] * 10


def test_two_sets_and_the_base_have_a_third_of_the_steps_each_and_wait_for_two_turns_at_most() -> None:
    chosen = steps(Rotation(), {BASE: 1, FIRST: 1, SECOND: 1}, 30 * STEPS_A_TURN)
    assert set(Counter(chosen).values()) == {30 * STEPS_A_TURN // 3}
    assert all(longest_wait(chosen, key) == 2 * STEPS_A_TURN for key in (BASE, FIRST, SECOND))


def test_a_newcomer_waits_for_those_before_it_and_passes_nobody() -> None:
    rotation = Rotation()
    first = steps(rotation, {BASE: 1, FIRST: 1}, 1)
    then = steps(rotation, {BASE: 1, FIRST: 1, SECOND: 1}, 3 * STEPS_A_TURN)
    assert first + then == [BASE] * STEPS_A_TURN + [FIRST] * STEPS_A_TURN + [SECOND] * STEPS_A_TURN + [BASE]


def test_sets_that_come_and_go_never_starve_one_that_stays() -> None:
    rotation = Rotation()
    chosen = []
    for number in range(60):
        passing: AdapterKey = ((f"sha256:new-{number}", 1.0),)
        chosen += [rotation.next({BASE: 1, passing: 1})]
    assert longest_wait(chosen, BASE) <= STEPS_A_TURN
    assert len(set(chosen)) > 2


def test_a_long_step_ends_a_turn() -> None:
    rotation = Rotation()
    chosen = []
    for _ in range(6):
        chosen += steps(rotation, {BASE: 1, FIRST: 1}, 1)
        rotation.end_turn()
    assert chosen == [BASE, FIRST] * 3


def test_what_can_wait_has_every_fourth_turn_while_others_have_something_to_do() -> None:
    chosen = steps(Rotation(), {BASE: 0, FIRST: 0, SECOND: 2}, 20 * LATER_EVERY * STEPS_A_TURN)
    shares = Counter(chosen)
    assert shares[SECOND] * LATER_EVERY == len(chosen)
    assert abs(shares[BASE] - shares[FIRST]) <= 2 * STEPS_A_TURN
