"""The scores of a prompt's tokens, from rows that come in pieces."""

import numpy as np
import pytest

from appliance.backends.echo_tokenizer import EchoTokenizer
from appliance.engine.prompt_scores import PromptScores

TOKENS = np.frombuffer(b"abcde", np.uint8).astype(np.int32)
ROWS = np.random.default_rng(0).normal(0, 2, (5, 512)).astype(np.float32)


def scored(*pieces: tuple[int, int]) -> PromptScores:
    scores = PromptScores(TOKENS, 1, EchoTokenizer(512))
    for start, end in pieces:
        scores.add(ROWS[start:end], start)
    return scores


def test_each_token_is_scored_by_the_row_before_it() -> None:
    scores = scored((0, 5))
    assert scores.is_complete
    first, *others = scores.entries
    assert first is None
    exact = ROWS.astype(np.float64)
    expected = [exact[i, TOKENS[i + 1]] - np.log(np.exp(exact[i]).sum()) for i in range(4)]
    assert [entry.logprob for entry in others] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    "pieces", [((0, 2), (2, 4)), ((0, 1), (1, 2), (2, 5)), ((0, 3), (1, 5)), ((0, 3), (0, 2), (2, 5))]
)
def test_pieces_make_the_same_scores_even_where_some_come_twice(pieces: tuple[tuple[int, int], ...]) -> None:
    assert scored(*pieces).entries == scored((0, 5)).entries


def test_a_prompt_is_scored_before_its_last_row_is_there() -> None:
    assert not scored((0, 3)).is_complete
    assert scored((0, 4)).is_complete


def test_a_single_token_has_nothing_before_it() -> None:
    assert PromptScores(TOKENS[:1], 0, EchoTokenizer(512)).is_complete


def test_a_row_that_is_missing_is_a_fault_of_the_engine() -> None:
    with pytest.raises(AssertionError, match="nothing from a cache"):
        scored((0, 2), (3, 5))
