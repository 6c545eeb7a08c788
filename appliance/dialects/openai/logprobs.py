"""Log-probabilities in OpenAI's two shapes: a list of tokens (chat), parallel lists (completions)."""

import math
from collections.abc import Iterable

import msgspec

from appliance.core.events import TokenLogprob, TopLogprob

# OpenAI's figure for "not among the likely ones"; JSON has no minus infinity
_LOWEST = -9999.0


class TopLogprobWire(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate of a position."""

    token: str
    logprob: float
    bytes: list[int]


class TokenLogprobWire(msgspec.Struct, frozen=True, kw_only=True):
    """The chosen token of a position and the likeliest ones."""

    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list[TopLogprobWire]


class ChatLogprobs(msgspec.Struct, frozen=True, kw_only=True):
    """`logprobs` of a chat choice."""

    content: list[TokenLogprobWire]
    refusal: None = None


class CompletionLogprobs(msgspec.Struct, frozen=True, kw_only=True):
    """`logprobs` of a completion choice; `text_offset` counts characters of the text before each token."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


def chat_logprobs(tokens: Iterable[TokenLogprob]) -> ChatLogprobs:
    """Return `tokens` in chat's shape."""
    return ChatLogprobs(
        content=[
            TokenLogprobWire(
                token=token.text,
                logprob=_finite(token.logprob),
                bytes=list(token.token_bytes),
                top_logprobs=[_top(top) for top in token.top],
            )
            for token in tokens
        ]
    )


def completion_logprobs(tokens: Iterable[TokenLogprob], offset: int) -> CompletionLogprobs:
    """Return `tokens` in the older shape, the first of them at character `offset`."""
    wire = CompletionLogprobs(tokens=[], token_logprobs=[], top_logprobs=[], text_offset=[])
    for token in tokens:
        wire.tokens.append(token.text)
        wire.token_logprobs.append(_finite(token.logprob))
        candidates = {top.text: _finite(top.logprob) for top in token.top}
        wire.top_logprobs.append(candidates | {token.text: _finite(token.logprob)})
        wire.text_offset.append(offset)
        offset += len(token.text)
    return wire


def _top(top: TopLogprob) -> TopLogprobWire:
    return TopLogprobWire(token=top.text, logprob=_finite(top.logprob), bytes=list(top.token_bytes))


def _finite(logprob: float) -> float:
    return logprob if math.isfinite(logprob) else _LOWEST
