"""`POST /v1/messages` and `/v1/messages/count_tokens`, inwards: the request as clients send it, and what it means."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from appliance.core.request import (
    ChatPrompt,
    GenerateRequest,
    JsonSchema,
    Message,
    Priority,
    ReadRequest,
    RequestId,
)
from appliance.core.sampling import SamplingParams, StopConditions
from appliance.errors import InvalidRequest

from .content import Block, MessageWire, texts_of, turns_of
from .thinking import Effort, ThinkingWire, reasoning_of
from .tools import ToolChoiceWire, ToolWire, tool_choice_of, tools_of

Ratio = Annotated[float, Meta(ge=0, le=1)]
StopSequences = Annotated[list[Annotated[str, Meta(min_length=1)]], Meta(max_length=64)]
MAX_TOOLS = 1024
_MAX_USER_CHARACTERS = 256


class FormatWire(msgspec.Struct, frozen=True, kw_only=True):
    """What the answer has to look like."""

    type: Literal["json_schema"]
    schema: dict[str, Any] | bool


class OutputConfigWire(msgspec.Struct, frozen=True, kw_only=True):
    """The field `output_config`."""

    effort: Effort | None = None
    format: FormatWire | None = None


class MetadataWire(msgspec.Struct, frozen=True, kw_only=True):
    """The field `metadata`."""

    user_id: str | None = None


class PromptFields(msgspec.Struct, frozen=True, kw_only=True):
    """What makes up a prompt, and the body of a request to count it. Unknown fields are ignored."""

    messages: Annotated[list[MessageWire], Meta(min_length=1)]
    model: str | None = None
    system: str | list[Block] | None = None
    tools: Annotated[list[ToolWire], Meta(max_length=MAX_TOOLS)] | None = None
    tool_choice: ToolChoiceWire | None = None
    thinking: ThinkingWire | None = None
    output_config: OutputConfigWire | None = None


class MessagesRequest(PromptFields, frozen=True, kw_only=True):
    """The body of a request for a message. `priority` and `deadline_s` are ours, `output_format` is a beta's name.

    `max_tokens` 0 reads the prompt, so that the next request finds it in the cache, and answers nothing. What belongs
    to Anthropic's service (tiers, containers, MCP servers, the management of contexts) is ignored.
    """

    max_tokens: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    stream: bool | None = None
    stop_sequences: StopSequences | None = None
    temperature: Ratio | None = None
    top_p: Ratio | None = None
    top_k: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    metadata: MetadataWire | None = None
    output_format: FormatWire | None = None
    priority: Priority | None = None
    deadline_s: Annotated[float, Meta(gt=0)] | None = None

    @property
    def user(self) -> str | None:
        """The caller's own name for one of its users."""
        user = self.metadata.user_id if self.metadata else None
        return user[:_MAX_USER_CHARACTERS] if user else None


class TokenCount(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `POST /v1/messages/count_tokens`. `context_management` is a beta's, and nothing is cut here."""

    input_tokens: int
    context_management: None = None


def messages_to_core(wire: MessagesRequest, id: RequestId, model: str) -> GenerateRequest:
    """Return the request for the engine. Raises: InvalidRequest, with the field."""
    return GenerateRequest(
        id=id,
        model=model,
        prompt=prompt_of(wire),
        sampling=_sampling_of(wire),
        # No engine works without a token to make; the answer leaves that one out
        stop=StopConditions(max_tokens=max(1, wire.max_tokens), strings=tuple(wire.stop_sequences or ())),
        constraint=_constraint_of(wire),
        priority=wire.priority or "normal",
        deadline_s=wire.deadline_s,
    )


def count_to_core(wire: PromptFields, id: RequestId, model: str) -> ReadRequest:
    """Return the request to count the very prompt that a message would be charged for. Raises: InvalidRequest."""
    return ReadRequest(id=id, model=model, prompt=prompt_of(wire))


def prompt_of(wire: PromptFields) -> ChatPrompt:
    """Return the conversation; an assistant's last turn is gone on with. Raises: InvalidRequest."""
    num_system = num_leading_system(wire)
    turns = turns_of(wire.messages, num_system)
    if not turns:
        raise InvalidRequest("'messages' are empty; at least one must say something", param="messages")
    continues_last = turns[-1].role == "assistant"
    if continues_last and turns[-1].tool_calls:
        last = f"messages[{len(wire.messages) - 1}]"
        raise InvalidRequest(f"'{last}' calls a tool; the next turn must hold its 'tool_result'", param=last)
    tools = tools_of(wire.tools or ())
    return ChatPrompt(
        messages=(*_system_of(wire, num_system), *turns),
        tools=tools,
        tool_choice=tool_choice_of(wire.tool_choice, tools),
        reasoning=reasoning_of(wire.thinking, wire.output_config.effort if wire.output_config else None),
        continues_last=continues_last,
    )


def num_leading_system(wire: PromptFields) -> int:
    """Return how many messages come before the first turn, which makes them part of the system prompt."""
    return next((i for i, message in enumerate(wire.messages) if message.role != "system"), len(wire.messages))


def _system_of(wire: PromptFields, num_system: int) -> tuple[Message, ...]:
    texts = texts_of(wire.system or "", "system")
    for i, message in enumerate(wire.messages[:num_system]):
        texts += texts_of(message.content, f"messages[{i}].content")
    text = "\n".join(text for text in texts if text)
    return (Message(role="system", content=text),) if text else ()


def _sampling_of(wire: MessagesRequest) -> SamplingParams:
    asked: dict[str, Any] = {name: getattr(wire, name) for name in ("temperature", "top_p", "top_k")}
    return SamplingParams(**{name: value for name, value in asked.items() if value is not None})


def _constraint_of(wire: MessagesRequest) -> JsonSchema | None:
    if wire.output_config and wire.output_config.format:
        return JsonSchema(schema=wire.output_config.format.schema, param="output_config.format.schema")
    if wire.output_format:
        return JsonSchema(schema=wire.output_format.schema, param="output_format.schema")
    return None
