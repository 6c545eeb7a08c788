"""A streamed chat answer, read from OpenAI's chunks: pieces of text, then one `ChatEnd`."""

from collections.abc import Iterable, Iterator

import msgspec

from .transport import ClientError, ErrorBody, cut_off, decode, to_status


class ChatUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one answer; `cached_tokens` of the prompt's needed no computation."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int


class ChatEnd(msgspec.Struct, frozen=True, kw_only=True):
    """Which model answered, why it stopped, what it used and how fast it wrote, by the daemon's clock."""

    model: str
    finish_reason: str | None
    usage: ChatUsage | None
    tokens_per_s: float | None = None


class _Delta(msgspec.Struct, frozen=True):
    content: str | None = None


class _Choice(msgspec.Struct, frozen=True):
    delta: _Delta = _Delta()
    finish_reason: str | None = None


class _PromptDetails(msgspec.Struct, frozen=True):
    cached_tokens: int = 0


class _Usage(msgspec.Struct, frozen=True):
    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: _PromptDetails | None = None


class _Timings(msgspec.Struct, frozen=True):
    predicted_per_second: float | None = None


class _Chunk(msgspec.Struct, frozen=True):
    model: str = ""
    choices: tuple[_Choice, ...] = ()
    usage: _Usage | None = None
    timings: _Timings | None = None
    error: ErrorBody | None = None


def read_chunks(events: Iterable[bytes]) -> Iterator[str | ChatEnd]:
    """Yield the text of the events' chunks as it comes, then a `ChatEnd`. Raises: ClientError."""
    model, reason, usage, tokens_per_s = "", None, None, None
    for data in events:
        if data == b"[DONE]":
            yield ChatEnd(model=model, finish_reason=reason, usage=usage, tokens_per_s=tokens_per_s)
            return
        chunk: _Chunk = decode(data, _Chunk)
        if chunk.error is not None:
            raise ClientError(chunk.error.message, status=to_status(chunk.error.code), code=chunk.error.code)
        model = chunk.model or model
        usage = _to_usage(chunk.usage) or usage
        tokens_per_s = chunk.timings.predicted_per_second if chunk.timings else tokens_per_s
        for choice in chunk.choices:
            reason = choice.finish_reason or reason
            if choice.delta.content:
                yield choice.delta.content
    raise cut_off()


def _to_usage(usage: _Usage | None) -> ChatUsage | None:
    if usage is None:
        return None
    details = usage.prompt_tokens_details or _PromptDetails()
    return ChatUsage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=details.cached_tokens,
    )
