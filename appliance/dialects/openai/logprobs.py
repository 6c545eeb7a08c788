"""Log-probabilities in OpenAI's two shapes: a list of tokens (chat), parallel lists (completions)."""

import math
from collections.abc import Sequence

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
    """`logprobs` of a completion choice; `text_offset` counts characters of the text before each token.

    The first token of an echoed prompt follows nothing, so it has neither a log-probability nor candidates.
    """

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


def chat_logprobs(tokens: Sequence[TokenLogprob | None]) -> ChatLogprobs:
    """Return `tokens` in chat's shape, which is for those that were generated."""
    return ChatLogprobs(
        content=[
            TokenLogprobWire(
                token=token.text,
                logprob=_finite(token.logprob),
                bytes=list(token.token_bytes),
                top_logprobs=[_top(top) for top in token.top],
            )
            for token in tokens
            if token is not None
        ]
    )


def completion_logprobs(
    tokens: Sequence[TokenLogprob | None], offset: int, text: str = ""
) -> tuple[CompletionLogprobs, int]:
    """Return `tokens` in the older shape, the first of them at character `offset`, and the character after them.

    What a token without log-probabilities stands for is what the others leave of `text`.
    """
    wire = CompletionLogprobs(tokens=[], token_logprobs=[], top_logprobs=[], text_offset=[])
    for token in tokens:
        if token is None:
            said, logprob, top = _left(text, tokens), None, None
        else:
            said, logprob = token.text, _finite(token.logprob)
            top = {each.text: _finite(each.logprob) for each in token.top} | {said: logprob}
        wire.tokens.append(said)
        wire.token_logprobs.append(logprob)
        wire.top_logprobs.append(top)
        wire.text_offset.append(offset)
        offset += len(said) if token is None else _num_begun(token)
    return wire, offset


def _num_begun(token: TokenLogprob) -> int:
    """Return how many characters begin in a token, which may hold a part of one; a special token has its name."""
    if not token.token_bytes:
        return len(token.text)
    return sum(byte & 0xC0 != 0x80 for byte in token.token_bytes)


def _left(text: str, tokens: Sequence[TokenLogprob | None]) -> str:
    """Return the beginning of `text`, of which `tokens` are the end, with the names of special tokens or without."""
    written, known = text.encode(), [token for token in tokens if token is not None]
    with_names = b"".join(token.token_bytes or token.text.encode() for token in known)
    without = b"".join(token.token_bytes for token in known)
    end = next((each for each in (with_names, without) if written.endswith(each)), written)
    return written[: len(written) - len(end)].decode(errors="replace")


def _top(top: TopLogprob) -> TopLogprobWire:
    return TopLogprobWire(token=top.text, logprob=_finite(top.logprob), bytes=list(top.token_bytes))


def _finite(logprob: float) -> float:
    return logprob if math.isfinite(logprob) else _LOWEST
