"""The answers of chat and generate: line by line, or whole."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from appliance.core.events import Delta, Finished, RequestEvent, TokenLogprob, TopLogprob
from appliance.core.request import ToolCall
from appliance.dialects.answer import Answer, Choice

from .moments import Stamps, figures

Kind = Literal["chat", "generate"]
encode = msgspec.json.Encoder().encode

_LOWEST_LOGPROB = -9999.0  # JSON has no infinity


class LogprobWire(msgspec.Struct, frozen=True, kw_only=True):
    """One token, or one that might have been."""

    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list["LogprobWire"] | UnsetType = UNSET


class FunctionReply(msgspec.Struct, frozen=True, kw_only=True):
    """What is called: whole, with its arguments as an object."""

    index: int
    name: str
    arguments: dict[str, Any]


class ToolCallReply(msgspec.Struct, frozen=True, kw_only=True):
    """A call that the model makes."""

    id: str
    function: FunctionReply


class MessageReply(msgspec.Struct, frozen=True, kw_only=True):
    """What the model says in a chat."""

    role: str = "assistant"
    content: str = ""
    thinking: str | UnsetType = UNSET
    tool_calls: list[ToolCallReply] | UnsetType = UNSET


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a stream, or a whole answer; chat has a `message` where generate has a `response`."""

    model: str
    created_at: str
    message: MessageReply | UnsetType = UNSET
    response: str | UnsetType = UNSET
    thinking: str | UnsetType = UNSET
    logprobs: list[LogprobWire] | UnsetType = UNSET
    done: bool = False
    done_reason: str | UnsetType = UNSET
    context: Sequence[int] | UnsetType = UNSET
    total_duration: int | UnsetType = UNSET
    load_duration: int | UnsetType = UNSET
    prompt_eval_count: int | UnsetType = UNSET
    prompt_eval_duration: int | UnsetType = UNSET
    eval_count: int | UnsetType = UNSET
    eval_duration: int | UnsetType = UNSET


class ReplyStream:
    """Writes the events of a call as lines of JSON. Calls of tools are told whole, as Ollama's clients expect them.

    A token costs one escape of its text and a time: what stands around them is written once.
    """

    def __init__(self, kind: Kind, model: str, stamps: Stamps) -> None:
        self._kind = kind
        self._model = model
        self._stamps = stamps
        self._gathered = Choice()
        self._num_told = 0
        line = encode(_reply(kind, model, "\0", "\1")) + b"\n"
        self._before, rest = line.split(encode("\0"))
        self._between, self._after = rest.split(encode("\1"))

    def add(self, event: RequestEvent) -> bytes:
        """Return the lines for `event`; nothing while no text is decided."""
        if isinstance(event, Delta):
            return self._delta(event)
        if isinstance(event, Finished):
            return self._told_calls(is_over=True) + self._line(_end(self._kind, self._model, event, self._stamps))
        return b""

    def end(self) -> bytes:
        """Return nothing: the line with `done` was the last."""
        return b""

    def _delta(self, event: Delta) -> bytes:
        if event.tool_calls:
            self._gathered.add(Delta(id=event.id, choice=0, num_tokens=0, text="", tool_calls=event.tool_calls))
        calls = self._told_calls(is_over=False) if event.tool_calls else b""
        if event.reasoning or event.logprobs:
            reply = _reply(
                self._kind,
                self._model,
                self._stamps.now(),
                event.text,
                thinking=event.reasoning,
                logprobs=_logprobs(event.logprobs),
            )
            return self._line(reply) + calls
        if not event.text:
            return calls
        stamp = self._stamps.now().encode()
        return b'%b"%b"%b%b%b%b' % (self._before, stamp, self._between, encode(event.text), self._after, calls)

    def _told_calls(self, *, is_over: bool) -> bytes:
        """Return a line for each call that is complete: one behind which another has begun, or the answer's end."""
        calls = self._gathered.tool_calls
        complete = calls if is_over else calls[:-1]
        first, self._num_told = self._num_told, len(complete)
        return b"".join(
            self._line(_reply(self._kind, self._model, self._stamps.now(), "", calls=[call]))
            for call in _calls(complete, first)
        )

    def _line(self, reply: Reply) -> bytes:
        line: bytes = encode(reply) + b"\n"
        return line


def whole_reply(kind: Kind, model: str, answer: Answer, stamps: Stamps) -> bytes:
    """Return the whole answer as JSON."""
    choice = answer.choices[0]
    end = _end(kind, model, answer.first, stamps)
    said = _reply(
        kind,
        model,
        end.created_at,
        choice.text,
        thinking=choice.reasoning,
        logprobs=_logprobs(choice.logprobs),
        calls=[*_calls(choice.tool_calls, 0)],
    )
    body: bytes = encode(
        msgspec.structs.replace(
            end, message=said.message, response=said.response, thinking=said.thinking, logprobs=said.logprobs
        )
    )
    return body


def nothing_said(kind: Kind, model: str, reason: Literal["load", "unload"], stamps: Stamps) -> bytes:
    """Return the answer to a request without a prompt, which loads a model or lets it go."""
    body: bytes = encode(msgspec.structs.replace(_reply(kind, model, stamps.now(), ""), done=True, done_reason=reason))
    return body


def _reply(
    kind: Kind,
    model: str,
    created_at: str,
    text: str,
    *,
    thinking: str = "",
    logprobs: list[LogprobWire] | UnsetType = UNSET,
    calls: list[ToolCallReply] | None = None,
) -> Reply:
    if kind == "chat":
        message = MessageReply(content=text, thinking=thinking or UNSET, tool_calls=calls or UNSET)
        return Reply(model=model, created_at=created_at, message=message, logprobs=logprobs)
    return Reply(model=model, created_at=created_at, response=text, thinking=thinking or UNSET, logprobs=logprobs)


def _end(kind: Kind, model: str, finished: Finished, stamps: Stamps) -> Reply:
    """Return the line that ends an answer. Ollama knows no reason of its own for calls."""
    return msgspec.structs.replace(
        _reply(kind, model, stamps.now(), ""),
        done=True,
        done_reason="length" if finished.reason == "length" else "stop",
        context=finished.tokens or UNSET,
        **figures(finished, stamps.total_ns)._asdict(),
    )


def _calls(calls: Sequence[ToolCall], first: int) -> Iterator[ToolCallReply]:
    """Yield the calls from `first` on, but none that was cut off in the middle of its arguments."""
    for index, call in enumerate(calls[first:], first):
        try:
            arguments = msgspec.json.decode(call.arguments or "{}", type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError):
            continue
        yield ToolCallReply(id=call.id, function=FunctionReply(index=index, name=call.name, arguments=arguments))


def _logprobs(tokens: Sequence[TokenLogprob]) -> list[LogprobWire] | UnsetType:
    if not tokens:
        return UNSET
    return [
        LogprobWire(
            token=token.text,
            logprob=_finite(token.logprob),
            bytes=list(token.token_bytes),
            top_logprobs=[_top(top) for top in token.top] or UNSET,
        )
        for token in tokens
    ]


def _top(top: TopLogprob) -> LogprobWire:
    return LogprobWire(token=top.text, logprob=_finite(top.logprob), bytes=list(top.token_bytes))


def _finite(logprob: float) -> float:
    return logprob if math.isfinite(logprob) else _LOWEST_LOGPROB
