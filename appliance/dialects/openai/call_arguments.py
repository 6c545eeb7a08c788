"""Arguments of calls that come back as clients keep them: as an object, or as nothing where there are none."""

import json

from msgspec.structs import replace

from .chat import ChatRequest
from .messages import CalledFunction, CallWire, MessageWire


def with_text_arguments(wire: ChatRequest) -> ChatRequest:
    """Return a request whose calls all have arguments in JSON text."""
    messages = [_message(message) for message in wire.messages]
    return replace(wire, messages=messages) if messages != wire.messages else wire


def _message(message: MessageWire) -> MessageWire:
    if message.role != "assistant" or not (message.tool_calls or message.function_call):
        return message
    return replace(
        message,
        tool_calls=[_call(call) for call in message.tool_calls] if message.tool_calls else message.tool_calls,
        function_call=_function(message.function_call) if message.function_call else None,
    )


def _call(call: CallWire) -> CallWire:
    return replace(call, function=_function(call.function)) if call.function else call


def _function(function: CalledFunction) -> CalledFunction:
    written = function.arguments
    if isinstance(written, str):
        return function if written else replace(function, arguments="{}")
    return replace(function, arguments=json.dumps(written, ensure_ascii=False))
