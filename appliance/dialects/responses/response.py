"""The response object, outwards, with every field of the published schema, and the items of its output."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from appliance.core.events import Usage
from appliance.dialects.openai.logprobs import TokenLogprobWire
from appliance.errors import ApplianceError, InvalidRequest, QueueFull

from .request import ReasoningConfig, ResponseRequest, TextFormat

encode = msgspec.json.Encoder().encode


class TextPart(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="output_text"):
    """What the model says."""

    text: str
    annotations: tuple[()] = ()
    logprobs: tuple[TokenLogprobWire, ...] = ()


class ReasoningPart(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="reasoning_text"):
    """What the model thinks."""

    text: str


class SummaryPart(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="summary_text"):
    """What the model thinks, for callers who ask for a summary."""

    text: str


class MessageOut(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="message"):
    """The assistant's words."""

    id: str
    status: str
    role: str = "assistant"
    content: tuple[TextPart, ...] = ()


class ReasoningOut(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="reasoning"):
    """The assistant's thinking."""

    id: str
    status: str
    summary: tuple[SummaryPart, ...] = ()
    content: tuple[ReasoningPart, ...] | None = None
    encrypted_content: str | None = None


class FunctionCallOut(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="function_call"):
    """A function that the client is to call."""

    id: str
    status: str
    call_id: str
    name: str
    arguments: str
    namespace: str | UnsetType = UNSET


class CustomCallOut(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="custom_tool_call"):
    """A custom tool that the client is to call."""

    id: str
    status: str
    call_id: str
    name: str
    input: str
    namespace: str | UnsetType = UNSET


ItemOut = MessageOut | ReasoningOut | FunctionCallOut | CustomCallOut


class InputTokensDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Of the prompt's tokens: those that the prefix cache answered. What is written to it is not counted."""

    cached_tokens: int
    cache_write_tokens: int = 0


class OutputTokensDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Of the generated tokens: those that were thought."""

    reasoning_tokens: int


class ResponseUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What the response cost."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class ResponseError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a response failed."""

    code: str
    message: str
    param: str | None = None
    type: str | None = None


class IncompleteDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Why a response is not complete."""

    reason: str


class ConversationRef(msgspec.Struct, frozen=True, kw_only=True):
    """The conversation that a response belongs to."""

    id: str


class TextOut(msgspec.Struct, frozen=True, kw_only=True):
    """The form that was asked for."""

    format: dict[str, Any]
    verbosity: str = "medium"


class ReasoningEcho(msgspec.Struct, frozen=True, kw_only=True):
    """How much thinking was asked for."""

    effort: str | None = None
    summary: str | None = None
    generate_summary: None = None
    context: str | None = None
    mode: str | None = None


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """The whole object. What has no meaning here is null."""

    id: str
    object: str = "response"
    created_at: float
    status: str
    background: bool
    completed_at: float | None = None
    error: ResponseError | None = None
    incomplete_details: IncompleteDetails | None = None
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: int | None
    model: str
    output: tuple[msgspec.Raw, ...] = ()
    parallel_tool_calls: bool
    previous_response_id: str | None
    conversation: ConversationRef | None
    reasoning: ReasoningEcho
    store: bool
    temperature: float
    text: TextOut
    tool_choice: str | dict[str, Any]
    tools: list[dict[str, Any]]
    top_logprobs: int
    top_p: float
    truncation: str
    usage: ResponseUsage | None = None
    user: str | None
    metadata: dict[str, str]
    service_tier: str = "default"
    safety_identifier: str | None
    prompt_cache_key: str | None
    prompt_cache_retention: str | None
    prompt: None = None
    access_programs: None = None
    image: None = None
    input_transformations: None = None
    moderation: None = None
    prompt_cache_diagnostics: None = None
    prompt_cache_options: None = None
    tool_usage: None = None


class TokenCount(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `POST /v1/responses/input_tokens`."""

    object: str = "response.input_tokens"
    input_tokens: int


def new_response(wire: ResponseRequest, id: str, model: str, created_s: float, *, is_stored: bool) -> Response:
    """Return the object as it begins: what was asked for, with the defaults in place of what was left out."""
    format = wire.text.format if wire.text and wire.text.format else TextFormat()
    verbosity = wire.text.verbosity if wire.text else None
    conversation_id = wire.conversation_id
    return Response(
        id=id,
        created_at=int(created_s),
        status="queued" if wire.background else "in_progress",
        background=bool(wire.background),
        instructions=wire.instructions,
        max_output_tokens=wire.max_output_tokens,
        max_tool_calls=wire.max_tool_calls,
        model=model,
        parallel_tool_calls=wire.parallel_tool_calls is not False,
        previous_response_id=wire.previous_response_id,
        conversation=ConversationRef(id=conversation_id) if conversation_id else None,
        reasoning=_reasoning(wire.reasoning or ReasoningConfig()),
        store=is_stored,
        temperature=1.0 if wire.temperature is None else wire.temperature,
        text=TextOut(format=_format(format), verbosity=verbosity or "medium"),
        tool_choice=wire.tool_choice or "auto",
        tools=wire.tools or [],
        top_logprobs=wire.top_logprobs or 0,
        top_p=1.0 if wire.top_p is None else wire.top_p,
        truncation=wire.truncation or "disabled",
        user=wire.user,
        metadata=wire.metadata or {},
        safety_identifier=wire.safety_identifier,
        prompt_cache_key=wire.prompt_cache_key,
        prompt_cache_retention=wire.prompt_cache_retention,
    )


def error_of(error: ApplianceError) -> ResponseError:
    """Return an error in the words of the published schema, which knows few codes."""
    code = "server_error"
    if isinstance(error, InvalidRequest):
        code = "invalid_prompt"
    elif isinstance(error, QueueFull):
        code = "rate_limit_exceeded"
    return ResponseError(code=code, message=error.message, param=error.param, type=error.code)


def usage_of(usage: Usage) -> ResponseUsage:
    """Return what a response cost."""
    return ResponseUsage(
        input_tokens=usage.prompt_tokens,
        input_tokens_details=InputTokensDetails(cached_tokens=usage.cached_tokens),
        output_tokens=usage.completion_tokens,
        output_tokens_details=OutputTokensDetails(reasoning_tokens=usage.reasoning_tokens),
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
    )


def _reasoning(asked: ReasoningConfig) -> ReasoningEcho:
    summary = asked.summary or asked.generate_summary
    return ReasoningEcho(effort=asked.effort, summary=summary, context=asked.context, mode=asked.mode)


def _format(wire: TextFormat) -> dict[str, Any]:
    if wire.type != "json_schema":
        return {"type": wire.type}
    given = {"name": wire.name or "schema", "description": wire.description, "strict": wire.strict}
    return {"type": wire.type, **given, "schema": wire.schema}
