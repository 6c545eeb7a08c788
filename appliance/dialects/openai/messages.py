"""The turns of a conversation as clients send them, and what the engine makes of them."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from appliance.core.request import Message, ToolCall
from appliance.dialects.custom_tools import arguments_of
from appliance.dialects.media.content import AnyMedium, Content
from appliance.dialects.media.given import InputAudio, from_input_audio, from_url
from appliance.errors import InvalidRequest

T = TypeVar("T")


class ImageUrl(msgspec.Struct, frozen=True, kw_only=True):
    """Where a picture is. How finely it is looked at is the model's own matter, so `detail` has no effect."""

    url: str
    detail: str | None = None


class ContentPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a message's content: text, a picture or a recording. Some clients send a picture's address alone."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: ImageUrl | str | None = None
    input_audio: InputAudio | None = None


Parts = str | Annotated[list[ContentPart], Meta(min_length=1)]


class CalledFunction(msgspec.Struct, frozen=True, kw_only=True):
    """A function's name and its arguments: JSON as text. As an object they are known, so as to be refused by name."""

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
    content: Parts | None = None
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
        read = _read(wire.content, path)
        return Message(role="tool", content=read.text, name=wire.name, tool_call_id=wire.tool_call_id, media=read.media)
    if wire.role == "function":
        name = _given(wire.name, f"{path}.name")
        return Message(role="tool", content=_text(wire.content, path), name=name, tool_call_id=_legacy_id(name))
    if wire.role != "assistant":
        if wire.role != "user":
            return Message(role="system", content=_text(wire.content, path), name=wire.name)
        read = _read(wire.content, path)
        return Message(role="user", content=read.text, name=wire.name, media=read.media)
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
        arguments = _arguments(function, f"{path}.function_call")
        return (ToolCall(id=_legacy_id(function.name), name=function.name, arguments=arguments),)
    return tuple(_call(call, f"{path}.tool_calls[{i}]") for i, call in enumerate(wire.tool_calls or ()))


def _call(wire: CallWire, path: str) -> ToolCall:
    if wire.type == "custom":
        custom = _given(wire.custom, f"{path}.custom")
        return ToolCall(id=wire.id, name=custom.name, arguments=arguments_of(custom.input))
    function = _given(wire.function, f"{path}.function")
    return ToolCall(id=wire.id, name=function.name, arguments=_arguments(function, f"{path}.function"))


def _arguments(wire: CalledFunction, path: str) -> str:
    """Return the JSON of a call's arguments. Raises: InvalidRequest."""
    if not isinstance(wire.arguments, str):
        path = f"{path}.arguments"
        raise InvalidRequest(f"'{path}' is an object; send it as JSON in a text", param=path)
    return wire.arguments


def _legacy_id(name: str) -> str:
    """Return an id for a call of the old kind, which had none and of which there was one at a time."""
    return f"call_{name}"


def _given(value: T | None, path: str) -> T:
    if value is None:
        raise _missing(path)
    return value


def _missing(path: str) -> InvalidRequest:
    return InvalidRequest(f"'{path}' is required", param=path)


def _text(content: Parts | None, path: str) -> str:
    """Return what is said where nothing can be shown. Raises: InvalidRequest."""
    read = _read(content, path)
    if read.media:
        where = f"{path}.content"
        raise InvalidRequest(
            f"'{where}': pictures and recordings stand in what a user says or a tool returns, nowhere else", param=where
        )
    return read.text


def _read(content: Parts | None, path: str) -> Content:
    if content is None:
        raise _missing(f"{path}.content")
    read = Content()
    for i, part in enumerate([ContentPart(type="text", text=content)] if isinstance(content, str) else content):
        where = f"{path}.content[{i}]"
        if part.type in ("image_url", "input_audio"):
            read.show(_medium(part, read.at, where))
        else:
            read.say(_part(part, where))
    return read


def _medium(part: ContentPart, at: int, path: str) -> AnyMedium:
    if part.type == "input_audio":
        return from_input_audio(part.input_audio, at, f"{path}.input_audio")
    image = part.image_url
    if image is None:
        raise _missing(f"{path}.image_url")
    if isinstance(image, str):
        return from_url(image, "image", at, f"{path}.image_url")
    return from_url(image.url, "image", at, f"{path}.image_url.url")


def _part(part: ContentPart, path: str) -> str:
    if part.type == "text":
        return _given(part.text, f"{path}.text")
    if part.type == "refusal":
        return _given(part.refusal, f"{path}.refusal")
    if part.type == "file":
        raise InvalidRequest(f"'{path}': no documents are read here; send their text, or pictures of pages", param=path)
    raise InvalidRequest(f"'{path}': text, pictures and recordings are read, not {part.type!r}", param=path)
