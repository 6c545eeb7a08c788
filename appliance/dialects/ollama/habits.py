"""What clients of Ollama send that is not quite its API: arguments as text, and contexts of a fixed size."""

from typing import Any

import msgspec
from msgspec.structs import replace

from .chat import ChatRequest, MessageWire, ToolCallWire
from .options import Options


def with_object_arguments(wire: ChatRequest) -> ChatRequest:
    """Return a request whose calls all have objects as arguments; text that is none stays as it is."""
    messages = [_message(message) for message in wire.messages or ()]
    return replace(wire, messages=messages) if messages != (wire.messages or []) else wire


def within_trained_context(options: Options, trained_context_tokens: int | None) -> Options:
    """Return options that ask for no longer context than the model was made for, as Ollama understands them."""
    if trained_context_tokens is None or options.num_ctx is None or options.num_ctx <= trained_context_tokens:
        return options
    return replace(options, num_ctx=trained_context_tokens)


def _message(message: MessageWire) -> MessageWire:
    if not message.tool_calls:
        return message
    return replace(message, tool_calls=[_call(call) for call in message.tool_calls])


def _call(call: ToolCallWire) -> ToolCallWire:
    given = call.function.arguments
    if not isinstance(given, str):
        return call
    try:
        arguments: Any = msgspec.json.decode(given)
    except (msgspec.DecodeError, RecursionError):
        return call
    return replace(call, function=replace(call.function, arguments=arguments)) if isinstance(arguments, dict) else call
