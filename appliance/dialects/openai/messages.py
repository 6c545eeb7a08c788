"""The turns of a conversation as clients send them, and what the engine makes of them."""

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from appliance.core.request import Message, ToolCall
from appliance.dialects.custom_tools import arguments_of
from appliance.errors import InvalidRequest

T = TypeVar("T")


class ContentPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a message's content. Only text can be read by now."""

    type: str
    text: str | None = None
    refusal: str | None = None


Content = str | Annotated[list[ContentPart], Meta(min_length=1)]


class CalledFunction(msgspec.Struct, frozen=True, kw_only=True):
    """A function's name and its arguments: JSON as text, or, as some clients send them, as it is."""

    name: str
    arguments: str | dict[str, Any] = ""


class CalledCustom(msgspec.Struct, frozen=True, kw_only=True):
    """A custom tool's name and the text that it was given."""

    name: str
    input: str


class CallWire(msgspec.Struct, frozen=True, kw_only=True):
    """A call that the assistant made. Some clients leave out `type` where it is a function."""

    id: str
    type: Literal["function", "custom"] = "function"
    function: CalledFunction | None = None
    custom: CalledCustom | None = None


class MessageWire(msgspec.Struct, frozen=True, kw_only=True):
    """One turn. An assistant's content may be null; its thinking comes back under either name."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Content | None = None
    name: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[CallWire] | None = None
    tool_call_id: str | None = None
    function_call: CalledFunction | None = None


def messages_of(wires: Sequence[MessageWire]) -> tuple[Message, ...]:
    """Return the conversation. Raises: InvalidRequest, with the field."""
    return tuple(_message(wire, f"messages[{i}]") for i, wire in enumerate(wires))


def _message(wire: MessageWire, path: str) -> Message:
    if wire.role == "tool":
        return Message(role="tool", content=_text(wire.content, path), name=wire.name, tool_call_id=wire.tool_call_id)
    if wire.role == "function":
        name = _given(wire.name, f"{path}.name")
        return Message(role="tool", content=_text(wire.content, path), name=name, tool_call_id=_legacy_id(name))
    if wire.role != "assistant":
        role: Literal["system", "user"] = "user" if wire.role == "user" else "system"
        return Message(role=role, content=_text(wire.content, path), name=wire.name)
    return Message(
        role="assistant",
        content=(wire.refusal or "") if wire.content is None else _text(wire.content, path),
        name=wire.name,
        reasoning=wire.reasoning_content or wire.reasoning or None,
        tool_calls=_calls(wire, path),
    )


def _calls(wire: MessageWire, path: str) -> tuple[ToolCall, ...]:
    if wire.function_call is not None:
        function = wire.function_call
        return (ToolCall(id=_legacy_id(function.name), name=function.name, arguments=_arguments(function)),)
    return tuple(_call(call, f"{path}.tool_calls[{i}]") for i, call in enumerate(wire.tool_calls or ()))


def _call(wire: CallWire, path: str) -> ToolCall:
    if wire.type == "custom":
        custom = _given(wire.custom, f"{path}.custom")
        return ToolCall(id=wire.id, name=custom.name, arguments=arguments_of(custom.input))
    function = _given(wire.function, f"{path}.function")
    return ToolCall(id=wire.id, name=function.name, arguments=_arguments(function))


def _arguments(wire: CalledFunction) -> str:
    """Return the JSON of a call's arguments; a function without any is often called with an empty text."""
    written = wire.arguments
    return (written or "{}") if isinstance(written, str) else json.dumps(written, ensure_ascii=False)


def _legacy_id(name: str) -> str:
    """Return an id for a call of the old kind, which had none and of which there was one at a time."""
    return f"call_{name}"


def _given(value: T | None, path: str) -> T:
    if value is None:
        raise _missing(path)
    return value


def _missing(path: str) -> InvalidRequest:
    return InvalidRequest(f"'{path}' is required", param=path)


def _text(content: Content | None, path: str) -> str:
    if content is None:
        raise _missing(f"{path}.content")
    if isinstance(content, str):
        return content
    return "\n".join(_part(part, f"{path}.content[{i}]") for i, part in enumerate(content))


def _part(part: ContentPart, path: str) -> str:
    if part.type == "text":
        return _given(part.text, f"{path}.text")
    if part.type == "refusal":
        return _given(part.refusal, f"{path}.refusal")
    raise InvalidRequest(f"'{path}': this model reads text only, not {part.type!r}", param=path)
