"""Guessing how a sequence goes on, against a naive twin that compares token by token, and what a guess is worth."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.engine.speculate import (
    FIRST_DRAFT_TOKENS,
    MAX_DRAFT_TOKENS,
    MIN_GAIN_RATIO,
    Drafter,
    worthwhile_tokens,
)

NEW = 1000  # tokens from here on have not been in any prompt


class Text:
    """A sequence whose tokens come one after the other, with its drafter."""

    def __init__(self, *prompt: int) -> None:
        self._buffer = np.zeros(4096, np.int32)
        self._buffer[: len(prompt)] = prompt
        self._num_tokens = len(prompt)
        self.drafter = Drafter(self._buffer, len(prompt))

    def goes_on(self, *tokens: int) -> Drafter:
        end = self._num_tokens + len(tokens)
        self._buffer[self._num_tokens : end] = tokens
        self._num_tokens = end
        self.drafter.extend(end)
        return self.drafter


def guess(drafter: Drafter, num_tokens: int) -> list[int]:
    return [int(token) for token in drafter.draft(num_tokens)]


def naive_source(tokens: list[int]) -> int | None:
    """The position after the latest earlier occurrence of the last three tokens, else of the last two."""
    for length in (3, 2):
        for end in range(len(tokens) - 1, length - 1, -1):
            if tokens[end - length : end] == tokens[-length:]:
                return end
    return None


def naive_draft(tokens: list[int], num_prompt: int, num_drafted: int) -> list[int]:
    """Read the output from its start: follow a guess while it comes true, look for another when it does not."""
    source = naive_source(tokens[:num_prompt])
    for position in range(num_prompt, len(tokens)):
        followed = source is not None and tokens[source] == tokens[position]
        source = source + 1 if source is not None and followed else naive_source(tokens[: position + 1])
    guessed = list(tokens)
    for step in range(num_drafted if source is not None else 0):
        guessed.append(guessed[(source or 0) + step])
    return guessed[len(tokens) :]


token_lists = st.lists(st.integers(0, 3), max_size=30)


@given(
    prompt=token_lists,
    steps=st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=5), max_size=20),
    num_drafted=st.integers(0, 12),
)
def test_a_draft_is_that_of_the_naive_twin(prompt: list[int], steps: list[list[int]], num_drafted: int) -> None:
    text, tokens = Text(*prompt), list(prompt)
    for step in steps:
        text.goes_on(*step)
        tokens += step
        assert guess(text.drafter, num_drafted) == naive_draft(tokens, len(prompt), num_drafted)


@given(token_lists, token_lists.filter(len), st.integers(1, 7))
def test_it_does_not_matter_in_which_pieces_the_tokens_came(prompt: list[int], output: list[int], piece: int) -> None:
    whole, pieces = Text(*prompt), Text(*prompt)
    whole.goes_on(*output)
    for start in range(0, len(output), piece):
        pieces.goes_on(*output[start : start + piece])
    assert guess(pieces.drafter, 9) == guess(whole.drafter, 9)
    assert pieces.drafter.acceptance == whole.drafter.acceptance


def test_what_was_said_before_is_guessed_to_follow_again() -> None:
    drafter = Text(1, 2, 3, 4, 5, 6, 7).goes_on(NEW, 2, 3)
    assert drafter.num_wanted == FIRST_DRAFT_TOKENS
    assert guess(drafter, 3) == [4, 5, 6]


def test_nothing_is_guessed_before_there_is_output() -> None:
    drafter = Text(1, 2, 3, 4, 1, 2, 3).drafter
    assert drafter.num_wanted == 0
    assert guess(drafter, 3) == []


def test_the_longer_match_wins_and_among_equals_the_latest() -> None:
    assert guess(Text(1, 2, 3, 50, 9, 2, 3, 60).goes_on(1, 2, 3), 1) == [50]
    assert guess(Text(1, 2, 3, 50, 1, 2, 3, 60).goes_on(1, 2, 3), 1) == [60]


def test_one_token_that_recurs_is_no_reason_to_guess() -> None:
    drafter = Text(1, 2, 3, 4).goes_on(NEW, 2)
    assert guess(drafter, 4) == []
    assert drafter.num_wanted == 0


def test_a_loop_goes_on_for_as_long_as_asked() -> None:
    assert guess(Text(1, 2, 3, 1, 2).goes_on(3, 1, 2), 8) == [3, 1, 2, 3, 1, 2, 3, 1]
    assert guess(Text(7).goes_on(7, 7), 4) == [7, 7, 7, 7]


def test_a_guess_that_comes_true_is_followed_past_a_later_place_that_begins_alike() -> None:
    text = Text(1, 2, 3, 4, 5, 6, NEW, 4, 5, 7)
    assert guess(text.goes_on(1, 2, 3), 3) == [4, 5, 6]
    assert guess(text.goes_on(4, 5), 1) == [6]


def test_an_edit_costs_two_tokens_before_the_copy_is_found_again() -> None:
    text = Text(*range(1, 20))
    assert guess(text.goes_on(1, 2, 3, NEW), 1) == []
    assert guess(text.goes_on(5), 1) == []
    assert guess(text.goes_on(6), 1) == [7]


def test_the_acceptance_is_known_without_a_draft() -> None:
    text = Text(*range(200))
    text.goes_on(*range(100))
    assert text.drafter.acceptance > 0.99
    assert text.drafter.num_wanted == FIRST_DRAFT_TOKENS


def test_tokens_that_nothing_was_guessed_for_say_nothing_about_acceptance() -> None:
    text = Text(1, 2, 3)
    before = text.drafter.acceptance
    assert text.goes_on(*range(NEW, NEW + 50)).acceptance == before


def test_guesses_that_keep_failing_are_no_longer_wanted_until_the_text_repeats_again() -> None:
    pairs = [token for new in range(NEW, NEW + 30) for token in (1, 2, new)]
    text = Text(*range(500, 600), *pairs)
    text.goes_on(1, 2, *(token for new in range(NEW + 30, NEW + 50) for token in (new, 1, 2)))
    assert text.drafter.acceptance < 0.1
    assert guess(text.drafter, 1) != []
    assert text.drafter.num_wanted == 0
    assert text.goes_on(*range(500, 520)).num_wanted > 0


def test_drafts_grow_while_they_are_accepted_whole_and_shrink_when_most_is_rejected() -> None:
    drafter = Text(*range(100)).goes_on(*range(20))
    wanted = []
    for _ in range(5):
        wanted.append(drafter.num_wanted)
        drafter.note(drafter.num_wanted, drafter.num_wanted)
    assert wanted == [4, 8, 16, 32, 32] and wanted[-1] == MAX_DRAFT_TOKENS
    drafter.note(32, 20)
    assert drafter.num_wanted == 32
    for expected in (16, 8, 4, 4):
        drafter.note(drafter.num_wanted, 1)
        assert drafter.num_wanted == expected


def test_a_draft_shorter_than_wanted_proves_nothing_about_longer_ones() -> None:
    drafter = Text(*range(100)).goes_on(*range(20))
    drafter.note(2, 2)
    drafter.note(0, 0)
    assert drafter.num_wanted == FIRST_DRAFT_TOKENS


def linear(first_s: float, draft_s: float) -> Callable[[int], float]:
    return lambda num_drafted: first_s + draft_s * num_drafted


@given(
    wanted=st.integers(0, 12),
    acceptance=st.floats(0, 1),
    durations_s=st.lists(st.floats(0.001, 10), min_size=13, max_size=13),
    other_tokens=st.integers(0, 16),
)
def test_no_other_draft_makes_more_tokens_a_second(
    wanted: int, acceptance: float, durations_s: list[float], other_tokens: int
) -> None:
    def rate(num_drafted: int) -> float:
        expected = 1 + sum(acceptance**i for i in range(1, num_drafted + 1))
        return (other_tokens + expected) / durations_s[num_drafted]

    chosen = worthwhile_tokens(wanted, acceptance, durations_s.__getitem__, other_tokens)
    limit = rate(0) * MIN_GAIN_RATIO
    best = max((rate(k) for k in range(1, wanted + 1)), default=0.0)
    if chosen:
        assert chosen <= wanted
        assert rate(chosen) == pytest.approx(best) and rate(chosen) > limit * (1 - 1e-9)
    else:
        assert best <= limit * (1 + 1e-9)


def test_a_sure_guess_is_drafted_whole_where_tokens_cost_little() -> None:
    assert worthwhile_tokens(16, 1.0, linear(1.0, 0.1), other_tokens=0) == 16


def test_nothing_is_drafted_where_a_token_costs_as_much_as_a_step() -> None:
    assert worthwhile_tokens(16, 1.0, linear(1.0, 1.0), other_tokens=0) == 0


def test_the_less_is_accepted_the_shorter_the_draft() -> None:
    lengths = [worthwhile_tokens(16, acceptance, linear(1.0, 0.1), 0) for acceptance in (0.99, 0.8, 0.6, 0.4, 0.1)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] == 16 and lengths[-1] == 0


def test_a_gain_of_less_than_a_twentieth_is_left() -> None:
    assert worthwhile_tokens(1, 0.5, linear(1.0, 0.44), other_tokens=0) == 0
    assert worthwhile_tokens(1, 0.5, linear(1.0, 0.42), other_tokens=0) == 1


def test_others_who_wait_for_the_draft_count() -> None:
    assert worthwhile_tokens(4, 0.7, linear(1.0, 0.1), other_tokens=0) > 0
    assert worthwhile_tokens(4, 0.7, linear(1.0, 0.1), other_tokens=15) == 0


def test_a_draft_fills_the_block_that_the_hardware_computes_at_once() -> None:
    def step_s(num_drafted: int) -> float:
        return 1.0 + 0.8 * (num_drafted // 4)

    assert worthwhile_tokens(8, 0.8, step_s, other_tokens=0) == 3


def test_a_machine_of_which_nothing_is_known_drafts_nothing() -> None:
    assert worthwhile_tokens(8, 0.9, lambda _: 0.0, other_tokens=0) == 0
