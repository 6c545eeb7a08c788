"""Who goes first and who steps back, as the policy says it."""

from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.engine.turns import (
    MAX_STRETCH_ALONE,
    MAX_STRETCH_SHARED,
    MIN_LEAD_SEQUENCES,
    NEWCOMER_STRETCH,
    displaced,
    is_read_alone,
    last_in_class_below,
    share_ratio,
    step_time_s,
    those_beside,
)

INTERACTIVE, NORMAL, BATCH = 0, 1, 2
TARGET_S = 0.1


@dataclass
class Seat:
    turn: tuple[int, float, int]
    caller: str = "a"
    weight: float = 1.0


def seat(number: int, caller: str = "a", class_rank: int = NORMAL, *, rank: float = 0.0, weight: float = 1.0) -> Seat:
    return Seat((class_rank, rank, number), caller, weight)


def test_nobody_steps_back_where_nobody_runs() -> None:
    assert displaced(seat(0), []) is None
    assert last_in_class_below(seat(0), []) is None


def test_the_last_of_a_lower_class_steps_back() -> None:
    running = [seat(0, class_rank=NORMAL), seat(1, class_rank=BATCH), seat(2, class_rank=BATCH)]
    assert displaced(seat(3, "b", INTERACTIVE), running) == 2
    assert displaced(seat(3, "b", NORMAL), running) == 2
    assert last_in_class_below(seat(3, "b", NORMAL), running) == 2


def test_nobody_steps_back_for_a_lower_class() -> None:
    running = [seat(number, class_rank=NORMAL) for number in range(8)]
    assert displaced(seat(9, "b", BATCH), running) is None
    assert last_in_class_below(seat(9, "b", BATCH), running) is None


def test_within_a_class_nobody_loses_cells_to_a_newcomer() -> None:
    assert last_in_class_below(seat(9, "b"), [seat(number) for number in range(8)]) is None


def test_the_rank_decides_before_the_order_of_arrival_who_is_last() -> None:
    running = [seat(0, class_rank=BATCH, rank=9.0), seat(1, class_rank=BATCH, rank=2.0)]
    assert displaced(seat(2, "b", NORMAL), running) == 0


def test_a_caller_with_one_request_runs_beside_one_with_fifty() -> None:
    running = [seat(number, "many") for number in range(8)]
    assert displaced(seat(99, "one"), running) == 7


def test_the_caller_with_the_most_places_gives_one_up_not_the_last_who_came() -> None:
    running = [seat(0, "many"), seat(1, "many"), seat(2, "many"), seat(3, "few")]
    assert displaced(seat(4, "new"), running) == 2


def test_a_caller_steps_back_for_another_only_while_both_then_have_as_many_places() -> None:
    running = [seat(0, "many"), seat(1, "many"), seat(2, "other")]
    assert displaced(seat(3, "new"), running) == 1
    assert displaced(seat(3, "other"), running) is None
    assert displaced(seat(3, "many"), running) is None


seats = st.builds(
    seat,
    st.integers(0, 99),
    st.sampled_from("abc"),
    st.sampled_from([INTERACTIVE, NORMAL, BATCH]),
    rank=st.sampled_from([0.0, 1.0]),
)


@given(seats, st.lists(seats, max_size=10))
def test_whoever_stepped_back_does_not_push_the_newcomer_out_again(newcomer: Seat, running: list[Seat]) -> None:
    index = displaced(newcomer, running)
    if index is None:
        return
    loser = running[index]
    assert loser.turn[0] >= newcomer.turn[0]
    after = [*running[:index], *running[index + 1 :], newcomer]
    again = displaced(loser, after)
    assert again is None or after[again] is not newcomer
    if loser.turn[0] == newcomer.turn[0]:
        places = Counter(each.caller for each in running if each.turn[0] == newcomer.turn[0])
        assert places[loser.caller] == max(places.values()) >= places[newcomer.caller] + MIN_LEAD_SEQUENCES
    else:
        assert loser.turn == max(each.turn for each in running)


def test_a_step_without_decodes_takes_as_long_as_it_takes_for_a_caller_alone() -> None:
    assert step_time_s(0, 3, 1, TARGET_S) is None


def test_a_step_without_decodes_is_short_enough_for_the_next_caller_where_there_are_several() -> None:
    assert step_time_s(0, 3, 2, TARGET_S) == pytest.approx(MAX_STRETCH_SHARED * TARGET_S)


def test_the_step_stretches_with_the_prompts_for_each_stream_but_not_without_end() -> None:
    alone = [step_time_s(2, num_readers, 1, TARGET_S) for num_readers in (1, 3, 5, 100)]
    assert alone == pytest.approx([0.1, 0.2, 0.3, MAX_STRETCH_ALONE * TARGET_S])


def test_where_others_are_there_a_callers_burst_stretches_the_step_less() -> None:
    shared = [step_time_s(2, num_readers, 2, TARGET_S) for num_readers in (1, 2, 3, 100)]
    assert shared == pytest.approx([0.1, 0.15, 0.2, MAX_STRETCH_SHARED * TARGET_S])


def test_a_callers_only_prompt_is_read_alone_if_that_is_quick() -> None:
    many = [seat(number, "many") for number in range(8)]
    assert is_read_alone(seat(9, "one"), many, NEWCOMER_STRETCH * TARGET_S, TARGET_S)
    assert not is_read_alone(seat(9, "one"), many, NEWCOMER_STRETCH * TARGET_S + 0.01, TARGET_S)
    assert not is_read_alone(seat(9, "many"), many, 0.01, TARGET_S)
    assert not is_read_alone(seat(9, "one"), [], 0.01, TARGET_S)


def test_nobody_pauses_for_a_prompt_of_a_lower_class() -> None:
    assert not is_read_alone(seat(9, "one", BATCH), [seat(0, "other"), seat(1, "more", BATCH)], 0.01, TARGET_S)


def test_lower_classes_wait_while_a_prompt_is_read_and_higher_ones_do_not() -> None:
    running = [seat(0, class_rank=INTERACTIVE), seat(1), seat(2, "one"), seat(3, "one", BATCH), seat(4, "b", BATCH)]
    assert those_beside(running[2], running) == running[:3]
    assert those_beside(running[0], running) == running[:1]
    assert those_beside(running[4], running) == running


def test_prefill_has_a_right_to_as_much_time_as_the_weights_of_those_who_wait_say() -> None:
    writers = [seat(0, "a", weight=2.0), seat(1, "a", weight=2.0), seat(2, "b", weight=2.0)]
    assert share_ratio([seat(3, "c", weight=1.0)], writers) == pytest.approx(0.25)
    assert share_ratio([seat(3, "c"), seat(4, "c"), seat(5, "d")], writers) == pytest.approx(0.5)
    assert share_ratio([seat(3, "c", weight=9.0)], writers) == 1.0


def test_a_caller_who_writes_already_has_no_right_to_more() -> None:
    assert share_ratio([seat(1, "a")], [seat(0, "a"), seat(2, "b")]) == 0.0


def test_without_decodes_there_is_nothing_to_share() -> None:
    assert share_ratio([seat(0)], []) == 0.0
