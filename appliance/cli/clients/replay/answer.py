"""An answer of any dialect, whole or as a stream, as what all of them have: text, calls, cached tokens, an end."""

import json
from typing import Any

import msgspec

from .script import Kind


class Raw(msgspec.Struct, frozen=True):
    """What came back over HTTP."""

    status: int
    media_type: str
    body: bytes


class Heard(msgspec.Struct, frozen=True):
    """What an answer says. `is_ended` is whether it came to its end, `problem` what is wrong with its form."""

    text: str = ""
    calls: tuple[str, ...] = ()
    cached_tokens: int = 0
    is_ended: bool = False
    problem: str | None = None


def hear(raw: Raw, kind: Kind) -> Heard:
    """Return what an answer of this kind says; it never raises, since a bad form is what is looked for."""
    try:
        if kind in ("status", "json", "embeddings"):
            return _plain(raw, kind)
        return _READERS[kind](_events(raw))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        return Heard(problem=f"the answer has not the form that the client reads ({type(error).__name__}: {error})")


def _plain(raw: Raw, kind: Kind) -> Heard:
    if kind == "status":
        return Heard(is_ended=True)
    value = json.loads(raw.body)
    if kind == "embeddings" and not all(len(row["embedding"]) for row in value["data"]):
        return Heard(problem="a vector is empty")
    return Heard(is_ended=True)


def _events(raw: Raw) -> list[dict[str, Any]]:
    """Return the events of a stream, or the whole answer as the only one."""
    text = raw.body.decode()
    if raw.media_type == "text/event-stream":
        lines = [line[5:].strip() for line in text.splitlines() if line.startswith("data:")]
        return [json.loads(line) if line != "[DONE]" else {"is_done": True} for line in lines]
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _chat(events: list[dict[str, Any]]) -> Heard:
    text, calls, cached, reason = "", [], 0, None
    for event in events:
        for choice in event.get("choices", []):
            part = choice.get("delta") or choice.get("message") or {}
            text += (part.get("content") or "") + (part.get("reasoning_content") or "")
            calls += [call["function"]["name"] for call in part.get("tool_calls") or [] if call["function"].get("name")]
            reason = choice.get("finish_reason") or reason
        if usage := event.get("usage"):
            cached = usage["prompt_tokens_details"]["cached_tokens"]
    is_stream = any(event.get("object") == "chat.completion.chunk" for event in events)
    is_ended = reason is not None and (not is_stream or "is_done" in events[-1])
    return Heard(text, tuple(calls), cached, is_ended)


def _responses(events: list[dict[str, Any]]) -> Heard:
    last = events[-1]
    answer = last.get("response", last)
    parts = [part for item in answer["output"] for part in item.get("content") or []]
    calls = [item["name"] for item in answer["output"] if item["type"] in ("function_call", "custom_tool_call")]
    cached = answer["usage"]["input_tokens_details"]["cached_tokens"]
    text = "".join(part.get("text", "") for part in parts)
    return Heard(text, tuple(calls), cached, answer["status"] in ("completed", "incomplete"))


def _messages(events: list[dict[str, Any]]) -> Heard:
    if len(events) == 1:
        return _message(events[0])
    text, calls, cached = "", [], 0
    for event in events:
        delta = event.get("delta") or {}
        text += delta.get("text", "") + delta.get("thinking", "")
        block = event.get("content_block") or {}
        calls += [block["name"]] if block.get("type") == "tool_use" else []
        cached = max(cached, (event.get("usage") or {}).get("cache_read_input_tokens") or 0)
        if event["type"] == "error":
            return Heard(text, problem=event["error"]["message"])
    return Heard(text, tuple(calls), cached, events[-1]["type"] == "message_stop")


def _message(message: dict[str, Any]) -> Heard:
    if "input_tokens" in message:  # the answer of count_tokens
        return Heard(is_ended=message["input_tokens"] > 0)
    text = "".join(block.get("text", "") for block in message["content"])
    calls = tuple(block["name"] for block in message["content"] if block["type"] == "tool_use")
    return Heard(text, calls, message["usage"].get("cache_read_input_tokens") or 0, message["stop_reason"] is not None)


def _ollama(events: list[dict[str, Any]]) -> Heard:
    parts = [event.get("message") or {"content": event.get("response", "")} for event in events]
    calls = [call["function"]["name"] for part in parts for call in part.get("tool_calls") or []]
    text = "".join((part.get("content") or "") + (part.get("thinking") or "") for part in parts)
    return Heard(text, tuple(calls), 0, events[-1]["done"] is True)


_READERS = {"chat": _chat, "responses": _responses, "messages": _messages, "ollama": _ollama}
