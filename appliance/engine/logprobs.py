"""Log-probabilities of a position, from the model's own logits: before biases, penalties, masks and temperature."""

import math
from typing import Protocol

from appliance.backends.base import LogitsArray
from appliance.core.events import TokenLogprob, TopLogprob

from .rows import largest, log_sum_exp


class TokenTexts(Protocol):
    """The half of a tokenizer that turns a token into text."""

    def special_text(self, token: int) -> str:
        """Return how a special token is written."""

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes that a token stands for; none for a control token."""


def token_logprobs(row: LogitsArray, token: int, k: int, tokenizer: TokenTexts) -> TokenLogprob:
    """Return the log-probability of the chosen token with the `k` likeliest, which may include it.

    Tokens that the model itself holds for impossible are not among the likeliest. Raises: BackendError.
    """
    normalizer = log_sum_exp(row)
    ids, values = largest(row, min(k, row.size)) if k > 0 else ((), ())
    top = tuple(
        TopLogprob(*_text_and_bytes(int(candidate), tokenizer), float(value) - normalizer)
        for candidate, value in zip(ids, values, strict=True)
    )
    return TokenLogprob(*_text_and_bytes(token, tokenizer), float(row[token]) - normalizer, top)


def probability(row: LogitsArray, token: int) -> float:
    """Return the model's own probability of a token, in [0, 1]. Raises: BackendError."""
    return math.exp(min(0.0, float(row[token]) - log_sum_exp(row)))


def _text_and_bytes(token: int, tokenizer: TokenTexts) -> tuple[str, bytes]:
    token_bytes = tokenizer.token_bytes(token)
    return token_bytes.decode("utf-8", "replace") if token_bytes else tokenizer.special_text(token), token_bytes
