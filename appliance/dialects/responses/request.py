"""`POST /v1/responses`, inwards: the body as clients send it. Every field of the published schema is known."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from appliance.core.request import Constraint, JsonSchema, Reasoning
from appliance.dialects.openai import constraints
from appliance.dialects.openai.reasoning import Effort, reasoning_of
from appliance.dialects.openai.sampling import NOT_OFFERED, GenerationFields, NumTop, Positive, refuse_not_offered
from appliance.errors import InvalidRequest

Name = Annotated[str, Meta(min_length=1)]
Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]], Meta(max_length=16)
]

LOGPROBS = "message.output_text.logprobs"
ENCRYPTED_REASONING = "reasoning.encrypted_content"
_NO_SUMMARY = (None, "none")


class TextFormat(msgspec.Struct, frozen=True, kw_only=True):
    """What form the text has. `schema` belongs to `json_schema`."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    name: str | None = None
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class TextConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The form of the text, and a hint of its length, which no model here knows."""

    format: TextFormat | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class ReasoningConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How much the model thinks, and whether the thinking is told as a summary. The rest has no meaning here."""

    effort: Effort | None = None
    summary: str | None = None
    generate_summary: str | None = None
    context: str | None = None
    mode: str | None = None


class ConversationName(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation by its id."""

    id: str


class PromptRequest(GenerationFields, frozen=True, kw_only=True):
    """What makes up a prompt, which is all that counting its tokens needs to know; and the fields of chat's that go on.

    Unknown fields are ignored. None means that the caller left the choice to us.
    """

    input: str | list[dict[str, Any]] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: str | ConversationName | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    reasoning: ReasoningConfig | None = None
    text: TextConfig | None = None
    truncation: Literal["auto", "disabled"] | None = None
    chat_template_kwargs: dict[str, Any] | None = None

    @property
    def conversation_id(self) -> str | None:
        """The conversation that this belongs to."""
        return self.conversation.id if isinstance(self.conversation, ConversationName) else self.conversation


class ResponseRequest(PromptRequest, frozen=True, kw_only=True):
    """The whole body. Fields of type Any are about the provider's own machinery, and have no meaning here."""

    background: bool | None = None
    context_management: Any = None
    access_programs: Any = None
    image: Any = None
    include: list[str] | None = None
    max_output_tokens: Positive | None = None
    max_tool_calls: Annotated[int, Meta(ge=0)] | None = None
    metadata: Metadata | None = None
    moderation: Any = None
    prompt: Any = None
    prompt_cache_key: str | None = None
    prompt_cache_options: Any = None
    prompt_cache_retention: str | None = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    store: bool | None = None
    top_logprobs: NumTop | None = None

    @property
    def wants_summary(self) -> bool:
        """Whether the thinking is told as a summary. Nothing is left out of it: it is the thinking itself."""
        asked = self.reasoning
        return asked is not None and (asked.summary not in _NO_SUMMARY or asked.generate_summary not in _NO_SUMMARY)

    @property
    def num_logprobs(self) -> int | None:
        """How many candidates each token is told with, None for no log-probabilities."""
        if self.top_logprobs or LOGPROBS in (self.include or ()):
            return self.top_logprobs or 0
        return None


def check(wire: ResponseRequest) -> None:
    """Refuse what cannot be done or contradicts itself. Raises: InvalidRequest, with the field."""
    if wire.prompt is not None:
        raise InvalidRequest("stored prompts are not offered; send 'instructions' and 'input'", param="prompt")
    if wire.moderation is not None:
        raise InvalidRequest("no text is moderated here; leave 'moderation' out", param="moderation")
    if wire.background and wire.store is False:
        raise InvalidRequest("a background response is read from the store; 'store' cannot be false", param="store")
    refuse_not_offered(wire, NOT_OFFERED)
    check_sources(wire)


def check_sources(wire: PromptRequest) -> None:
    """Refuse a prompt that comes from nowhere, or from two places. Raises: InvalidRequest."""
    if wire.previous_response_id is not None and wire.conversation_id is not None:
        raise InvalidRequest(
            "'previous_response_id' and 'conversation' both say what came before; send one of them",
            param="previous_response_id",
        )
    if not wire.input and not wire.conversation_id and not wire.previous_response_id:
        raise InvalidRequest("'input' is required", param="input")


def thinking_of(wire: PromptRequest) -> Reasoning:
    """Return how much the model is to think."""
    effort = wire.reasoning.effort if wire.reasoning else None
    return reasoning_of(effort, None, None, wire.chat_template_kwargs or {})


def constraint_of(wire: PromptRequest) -> Constraint | None:
    """Return the form that the text must have. Raises: InvalidRequest."""
    wanted = wire.text.format if wire.text else None
    if wanted is None or wanted.type == "text":
        return constraints.constraint_of(wire)
    if wanted.type == "json_object":
        return JsonSchema(schema={"type": "object"}, param="text.format")
    if wanted.schema is None:
        raise InvalidRequest("'text.format.schema' is required with 'json_schema'", param="text.format.schema")
    return JsonSchema(schema=wanted.schema, param="text.format.schema")
