import math

import numpy as np
import pytest

from appliance.core.events import TopLogprob
from appliance.engine.logprobs import probability, token_logprobs
from appliance.errors import BackendError

EXACT = np.log(np.array([0.5, 0.25, 0.125, 0.125]))


class FakeTokenizer:
    """Four tokens: a word, the halves of a character, and a control token."""

    def special_text(self, token: int) -> str:
        return f"<|{token}|>"

    def token_bytes(self, token: int) -> bytes:
        return (b" hi", b"\xc3", b"\xa9", b"")[token]


def row() -> np.ndarray:
    return (EXACT + 7).astype(np.float32)


def test_log_probabilities_are_those_of_the_model_whatever_its_logits_are_shifted_by() -> None:
    chosen = token_logprobs(row(), 2, 2, FakeTokenizer())
    assert (chosen.text, chosen.token_bytes) == ("\ufffd", b"\xa9")
    assert chosen.logprob == pytest.approx(EXACT[2], abs=1e-6)
    assert [(top.text, top.token_bytes) for top in chosen.top] == [(" hi", b" hi"), ("\ufffd", b"\xc3")]
    assert [top.logprob for top in chosen.top] == pytest.approx(EXACT[:2].tolist(), abs=1e-6)


def test_without_candidates_only_the_chosen_token_is_described() -> None:
    assert token_logprobs(row(), 0, 0, FakeTokenizer()).top == ()


def test_more_candidates_than_tokens_gives_them_all() -> None:
    assert len(token_logprobs(row(), 0, 20, FakeTokenizer()).top) == 4


def test_a_control_token_is_written_as_in_a_template() -> None:
    chosen = token_logprobs(row(), 3, 4, FakeTokenizer())
    assert (chosen.text, chosen.token_bytes) == ("<|3|>", b"")
    assert isinstance(chosen.top[3], TopLogprob)
    assert chosen.top[3].text == "<|3|>"


def test_the_row_stays_as_it_is() -> None:
    before = row()
    token_logprobs(before, 0, 4, FakeTokenizer())
    probability(before, 0)
    assert before.tolist() == row().tolist()


def test_a_probability_lies_between_zero_and_one() -> None:
    assert probability(row(), 1) == pytest.approx(0.25, abs=1e-6)
    assert probability(np.array([800, -800], np.float32), 0) == 1
    assert probability(np.array([0, -math.inf], np.float32), 1) == 0


def test_a_row_that_is_no_distribution_is_an_error() -> None:
    with pytest.raises(BackendError, match="nan"):
        token_logprobs(np.array([0, math.nan], np.float32), 0, 1, FakeTokenizer())
