"""Timestamps come in pairs, never go back, and begin every text."""

from collections.abc import Sequence

import numpy as np
import pytest

from appliance.backends.base import SpeechTokens
from appliance.engine.hearing.rules import TimestampRules, log_softmax

END, FIRST, VOCAB = 10, 20, 120
TOKENS = SpeechTokens(
    start=11,
    end=END,
    previous=14,
    no_speech=15,
    no_timestamps=19,
    first_timestamp=FIRST,
    tasks={"transcribe": 12, "translate": 13},
    languages={"en": 16, "de": 17},
    suppressed=np.array([3, *range(END + 1, FIRST)], np.int32),
    suppressed_first=np.array([5, END], np.int32),
    timestamp_s=0.02,
)


def allowed(said: Sequence[int], louder: int | None = None) -> set[int]:
    """Return what may follow where all tokens are alike, but for one that is far likelier."""
    logits = np.zeros(VOCAB, np.float32)
    logits[FIRST:] = -10.0  # so that all of them together are not likelier than a word
    if louder is not None:
        logits[louder] = 20.0
    TimestampRules(TOKENS).apply(logits, said)
    return set(np.flatnonzero(np.isfinite(logits)).tolist())


WORDS = {*range(END)} - {3}
TIMES = {*range(FIRST, VOCAB)}


def test_a_text_begins_with_a_time_within_its_first_second() -> None:
    assert allowed([]) == {*range(FIRST, FIRST + 51)}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([FIRST], WORDS | {END}),
        ([FIRST, 1], WORDS | {END} | TIMES - {FIRST}),
        ([FIRST, 1, FIRST + 30], {END} | {*range(FIRST + 30, VOCAB)}),
        ([FIRST, 1, FIRST + 30, FIRST + 30], WORDS | {END}),
        ([FIRST, 1, FIRST + 30, FIRST + 40, 2], WORDS | {END} | {*range(FIRST + 41, VOCAB)}),
    ],
    ids=["after the first", "after a word", "after an end", "after a pair", "never back"],
)
def test_what_may_follow(said: list[int], expected: set[int]) -> None:
    assert allowed(said) == expected


def test_a_word_may_be_a_time_only_where_all_times_together_are_likelier() -> None:
    assert allowed([FIRST, 1], louder=FIRST + 50) == TIMES - {FIRST}
    assert 1 in allowed([FIRST, 1], louder=2)


def test_probabilities_add_up_to_one() -> None:
    logits = np.array([1000.0, 999.0, -np.inf, -1000.0], np.float32)
    assert np.exp(log_softmax(logits)).sum() == pytest.approx(1)
