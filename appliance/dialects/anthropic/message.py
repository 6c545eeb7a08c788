"""`POST /v1/messages`, outwards: the shapes of a message, and one whole."""

from typing import Any, Literal

import msgspec

from appliance.core.events import Finished, Usage
from appliance.core.request import RequestId
from appliance.dialects.answer import Answer

from .messages import MessagesRequest
from .thinking import Display, display_of, signature_of
from .usage import StopReason, UsageWire, stop_reason_of, usage_wire


class TextBlock(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="text"):
    """What the model says. Without citations it has no such field: the AI SDK takes a list there or nothing."""

    text: str


class ThinkingBlock(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="thinking"):
    """What it thought before."""

    thinking: str
    signature: str


class ToolUseBlock(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="tool_use"):
    """A call that it makes."""

    id: str
    name: str
    input: msgspec.Raw


class MessageBody(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="message"):
    """A message, complete or (in the first event of a stream) still empty."""

    id: str
    role: Literal["assistant"] = "assistant"
    model: str
    content: tuple[TextBlock | ThinkingBlock | ToolUseBlock, ...]
    stop_reason: StopReason | None
    stop_sequence: str | None
    stop_details: None = None
    container: None = None
    context_management: None = None
    diagnostics: None = None
    usage: UsageWire


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """What a request wants to be told, and under which names."""

    id: str
    model: str
    max_tokens: int
    display: Display

    def usage(self, usage: Usage) -> Usage:
        """Return what the caller is charged: the token that was made only to read the prompt is not."""
        return usage if self.max_tokens else msgspec.structs.replace(usage, completion_tokens=0, reasoning_tokens=0)

    def ending(self, finished: Finished) -> tuple[StopReason, str | None]:
        """Return why the answer ended, and the stop sequence that ended it."""
        if not self.max_tokens:
            return "max_tokens", None
        return stop_reason_of(finished, self.max_tokens), finished.stop_string


def telling_of(wire: MessagesRequest, id: RequestId, model: str) -> Telling:
    """Return how the answer to `wire` is told."""
    return Telling(id=f"msg_{id}", model=model, max_tokens=wire.max_tokens, display=display_of(wire.thinking))


def message(answer: Answer, telling: Telling) -> bytes:
    """Return the body of the response."""
    reason, sequence = telling.ending(answer.first)
    return msgspec.json.encode(
        MessageBody(
            id=telling.id,
            model=telling.model,
            content=tuple(_content(answer, telling)) if telling.max_tokens else (),
            stop_reason=reason,
            stop_sequence=sequence,
            usage=usage_wire(telling.usage(answer.usage)),
        )
    )


def _content(answer: Answer, telling: Telling) -> list[TextBlock | ThinkingBlock | ToolUseBlock]:
    choice, display = answer.choices[0], telling.display
    blocks: list[TextBlock | ThinkingBlock | ToolUseBlock] = []
    if choice.reasoning and display != "hidden":
        shown = choice.reasoning if display == "shown" else ""
        blocks.append(ThinkingBlock(thinking=shown, signature=signature_of(choice.reasoning, display)))
    if choice.text:
        blocks.append(TextBlock(text=choice.text))
    return [*blocks, *(tool_use_block(call.id, call.name, call.arguments) for call in choice.tool_calls)]


def tool_use_block(id: str, name: str, arguments: str) -> ToolUseBlock:
    """Return a call with its arguments as they were written; with none, where they were cut off or come later."""
    try:
        msgspec.json.decode(arguments, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        arguments = "{}"
    return ToolUseBlock(id=id, name=name, input=msgspec.Raw(arguments.encode()))
