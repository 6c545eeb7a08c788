"""`POST /api/chat`, inwards: the conversation as clients send it, and what it means."""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from appliance.core.request import ChatPrompt, GenerateRequest, Message, RequestId, Tool, ToolCall
from appliance.errors import InvalidRequest
from models.manifest import ModelPreset

from .call import CallFields, core_request, pictures_of, reasoning_of, refuse_images


class CalledWire(msgspec.Struct, frozen=True, kw_only=True):
    """What a model called."""

    name: str
    arguments: dict[str, Any] | str = {}


class ToolCallWire(msgspec.Struct, frozen=True, kw_only=True):
    """A call of an earlier answer; older clients know no ids."""

    function: CalledWire
    id: str | None = None


class MessageWire(msgspec.Struct, frozen=True, kw_only=True):
    """One turn. `tool_name` says whose result a tool's message is."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[ToolCallWire] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None


class FunctionWire(msgspec.Struct, frozen=True, kw_only=True):
    """A function that the model may ask to be called."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


class ToolWire(msgspec.Struct, frozen=True, kw_only=True):
    """Its envelope."""

    function: FunctionWire


class ChatRequest(CallFields, frozen=True, kw_only=True):
    """The body of the request. Without messages it loads the model, or unloads it."""

    messages: list[MessageWire] | None = None
    tools: list[ToolWire] | None = None


def chat_to_core(wire: ChatRequest, id: RequestId, model: str, preset: ModelPreset | None) -> GenerateRequest:
    """Return the request for the engine. Raises: InvalidRequest, with the field."""
    messages = _messages(wire.messages or [])
    last = messages[-1]
    prompt = ChatPrompt(
        messages=messages,
        tools=tuple(_tool(tool.function) for tool in wire.tools or ()),
        reasoning=reasoning_of(wire.think),
        continues_last=last.role == "assistant" and not last.tool_calls,
    )
    return core_request(wire, id, model, prompt, preset)


def _messages(wires: Sequence[MessageWire]) -> tuple[Message, ...]:
    """Return the turns, each tool's result with the id of the call that it answers."""
    messages: list[Message] = []
    open_calls: list[ToolCall] = []
    for place, wire in enumerate(wires):
        path = f"messages[{place}]"
        if wire.role == "tool":
            messages.append(_result(wire, open_calls, path))
            continue
        if wire.role != "user":
            refuse_images(wire.images, f"{path}.images", "a user or a tool shows pictures, nobody else")
        calls = _calls(wire, place, path)
        open_calls = list(calls) or open_calls
        messages.append(
            Message(
                role="system" if wire.role == "developer" else wire.role,
                content=wire.content or "",
                reasoning=wire.thinking or None,
                tool_calls=calls,
                media=pictures_of(wire.images, f"{path}.images"),
            )
        )
    return tuple(messages)


def _calls(wire: MessageWire, place: int, path: str) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(
            id=call.id or f"call_{place}_{number}",
            name=call.function.name,
            arguments=_arguments(call.function.arguments, f"{path}.tool_calls[{number}].function.arguments"),
        )
        for number, call in enumerate(wire.tool_calls or ())
    )


def _arguments(given: dict[str, Any] | str, path: str) -> str:
    """Return the arguments as JSON text. Raises: InvalidRequest."""
    if isinstance(given, str):
        raise InvalidRequest(f"'{path}' is no JSON object", param=path)
    return msgspec.json.encode(given).decode()


def _result(wire: MessageWire, open_calls: list[ToolCall], path: str) -> Message:
    """Return a tool's message. Where it names no call, it answers the first open one of that tool, or of any."""
    named = [call for call in open_calls if call.id == wire.tool_call_id]
    of_tool = [call for call in open_calls if call.name == wire.tool_name]
    answered = next(iter(named or of_tool or open_calls), None)
    if answered is not None:
        open_calls.remove(answered)
    return Message(
        role="tool",
        content=wire.content or "",
        name=wire.tool_name or (answered.name if answered else None),
        tool_call_id=wire.tool_call_id or (answered.id if answered else path),
        media=pictures_of(wire.images, f"{path}.images"),
    )


def _tool(function: FunctionWire) -> Tool:
    return Tool(name=function.name, description=function.description or "", parameters=function.parameters or {})
