"""A streamed chat answer, read from OpenAI's chunks: pieces of text, thoughts and calls, then one `ChatEnd`."""

from collections.abc import Iterable, Iterator

import msgspec

from .transport import ClientError, ErrorBody, cut_off, decode, to_status


class ChatUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one answer; `cached_tokens` of the prompt's needed no computation."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int


class ChatThought(msgspec.Struct, frozen=True):
    """A piece of what the model thinks before it answers."""

    text: str


class ChatCall(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a tool call, the `index`-th of its answer. The first one has `id` and `name`; `arguments` add up."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


class ChatEnd(msgspec.Struct, frozen=True, kw_only=True):
    """Which model answered, why it stopped, what it used and how fast it was, by the daemon's clock.

    `queue_s` and `prefill_s` are the time until its place and from there to the first token. `cache` is what became of
    the request in the response cache (`hit`, `miss`, `shared`, `bypass`), None where that is not told.
    """

    model: str
    finish_reason: str | None
    usage: ChatUsage | None
    tokens_per_s: float | None = None
    queue_s: float | None = None
    prefill_s: float | None = None
    cache: str | None = None


ChatPart = str | ChatThought | ChatCall | ChatEnd


class _Said(msgspec.Struct, frozen=True):
    name: str | None = None
    arguments: str = ""
    input: str = ""


class _Call(msgspec.Struct, frozen=True):
    index: int = 0
    id: str | None = None
    function: _Said | None = None
    custom: _Said | None = None


class _Delta(msgspec.Struct, frozen=True):
    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: tuple[_Call, ...] | None = None


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
    queue_ms: float | None = None
    prompt_ms: float | None = None


class _Chunk(msgspec.Struct, frozen=True):
    model: str = ""
    choices: tuple[_Choice, ...] = ()
    usage: _Usage | None = None
    timings: _Timings | None = None
    error: ErrorBody | None = None


def read_chunks(events: Iterable[bytes]) -> Iterator[ChatPart]:
    """Yield what the events' chunks bring as it comes, then a `ChatEnd`. Raises: ClientError."""
    model, reason, usage, timings = "", None, None, _Timings()
    for data in events:
        if data == b"[DONE]":
            yield ChatEnd(
                model=model,
                finish_reason=reason,
                usage=usage,
                tokens_per_s=timings.predicted_per_second,
                queue_s=_seconds(timings.queue_ms),
                prefill_s=_seconds(timings.prompt_ms),
            )
            return
        chunk: _Chunk = decode(data, _Chunk)
        if chunk.error is not None:
            raise ClientError(chunk.error.message, status=to_status(chunk.error.code), code=chunk.error.code)
        model = chunk.model or model
        usage = _to_usage(chunk.usage) or usage
        timings = chunk.timings or timings
        for choice in chunk.choices:
            reason = choice.finish_reason or reason
            yield from _parts(choice.delta)
    raise cut_off()


def _parts(delta: _Delta) -> Iterator[ChatPart]:
    if delta.reasoning_content:
        yield ChatThought(delta.reasoning_content)
    if delta.content:
        yield delta.content
    for call in delta.tool_calls or ():
        said = call.function or call.custom or _Said()
        yield ChatCall(index=call.index, id=call.id, name=said.name, arguments=said.arguments or said.input)


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _to_usage(usage: _Usage | None) -> ChatUsage | None:
    if usage is None:
        return None
    details = usage.prompt_tokens_details or _PromptDetails()
    return ChatUsage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=details.cached_tokens,
    )
