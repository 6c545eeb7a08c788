"""`POST /v1/chat/completions`, inwards: the request as clients send it, and what it means."""

from typing import Annotated, Any, Literal

from msgspec import Meta

from appliance.core.request import ChatPrompt, GenerateRequest, RequestId
from appliance.errors import InvalidRequest

from .chat_wire import ChatShape
from .constraints import constraint_of
from .messages import MessageWire, messages_of
from .reasoning import Effort, ReasoningWire, ThinkingBudget, reasoning_of
from .sampling import (
    NOT_OFFERED,
    GenerationFields,
    NotOffered,
    NumTop,
    Positive,
    cache_wish_of,
    refuse_not_offered,
    sampling_of,
    stop_of,
)
from .tools import Choice, FunctionChoice, Functions, Named, Offer, Tools, functions_of, names_of_custom, tools_of

MetadataKey = Annotated[str, Meta(max_length=64)]
MetadataValue = Annotated[str, Meta(max_length=512)]

_NOT_OFFERED: NotOffered = {
    **NOT_OFFERED,
    "moderation": (None,),
    "echo": (None, False),
    "suffix": (None, ""),
    "best_of": (None, 1),
}


class ChatRequest(GenerationFields, frozen=True, kw_only=True):
    """The body of the request. Unknown fields are ignored.

    `store`, `verbosity`, `prediction`, `prompt_cache_key` and `web_search_options` are taken and have no effect: no
    chat is kept, drafts and prefixes are found without a hint, and nothing here searches the web.
    """

    messages: Annotated[list[MessageWire], Meta(min_length=1)]
    max_completion_tokens: Positive | None = None
    logprobs: bool | None = None
    top_logprobs: NumTop | None = None
    tools: Tools | None = None
    tool_choice: Choice | None = None
    parallel_tool_calls: bool | None = None
    functions: Functions | None = None
    function_call: FunctionChoice | None = None
    reasoning_effort: Effort | None = None
    reasoning: ReasoningWire | None = None
    include_reasoning: bool | None = None
    thinking_budget_tokens: ThinkingBudget | None = None
    reasoning_budget: ThinkingBudget | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    continue_final_message: bool | None = None
    add_generation_prompt: bool | None = None
    metadata: Annotated[dict[MetadataKey, MetadataValue], Meta(max_length=16)] | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    store: bool | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    prediction: dict[str, Any] | None = None
    prompt_cache_key: str | None = None
    safety_identifier: Annotated[str, Meta(max_length=256)] | None = None
    web_search_options: dict[str, Any] | None = None
    moderation: Any = None
    echo: Any = None
    suffix: Any = None
    best_of: Any = None

    @property
    def end_user(self) -> str | None:
        """Who among the caller's users asks, by the old field or the one that follows it."""
        return self.user or self.safety_identifier


def chat_to_core(wire: ChatRequest, id: RequestId, model: str) -> GenerateRequest:
    """Return the request for the engine. Raises: InvalidRequest, with the field."""
    refuse_not_offered(wire, _NOT_OFFERED)
    return GenerateRequest(
        id=id,
        model=model,
        prompt=_prompt(wire),
        sampling=sampling_of(wire),
        stop=stop_of(wire, wire.max_completion_tokens or wire.max_tokens),
        num_choices=wire.n or 1,
        logprobs=_num_logprobs(wire),
        constraint=constraint_of(wire),
        cache_prompt=wire.cache_prompt is not False,
        timings_per_token=bool(wire.timings_per_token),
        priority=wire.priority or "normal",
        deadline_s=wire.deadline_s,
        cache=cache_wish_of(wire),
    )


def shape_of(wire: ChatRequest) -> ChatShape:
    """Return what of the answer's form depends on the request."""
    return ChatShape(
        custom_tools=names_of_custom(wire.tools or ()),
        is_legacy=bool(wire.functions),
        shows_reasoning=wire.include_reasoning is not False and not (wire.reasoning and wire.reasoning.exclude),
        metadata=wire.metadata,
        service_tier=wire.service_tier and "default",
    )


def _prompt(wire: ChatRequest) -> ChatPrompt:
    template_kwargs = wire.chat_template_kwargs or {}
    budget = wire.thinking_budget_tokens if wire.thinking_budget_tokens is not None else wire.reasoning_budget
    tools, choice = _offer(wire)
    return ChatPrompt(
        messages=messages_of(wire.messages),
        tools=tools,
        tool_choice=choice,
        reasoning=reasoning_of(wire.reasoning_effort, wire.reasoning, budget, template_kwargs),
        template_kwargs=template_kwargs,
        continues_last=_continues_last(wire),
    )


def _offer(wire: ChatRequest) -> Offer:
    if not wire.functions and not isinstance(wire.function_call, Named):
        return tools_of(wire.tools or (), wire.tool_choice, wire.parallel_tool_calls is not False)
    if wire.tools:
        raise InvalidRequest("'functions' is the old name of 'tools'; send one of them", param="functions")
    return functions_of(wire.functions or (), wire.function_call)


def _num_logprobs(wire: ChatRequest) -> int | None:
    if wire.top_logprobs is not None and not wire.logprobs:
        raise InvalidRequest("'top_logprobs' needs 'logprobs': true", param="top_logprobs")
    if not wire.logprobs and not wire.n_probs:
        return None
    return max(wire.top_logprobs or 0, wire.n_probs or 0)


def _continues_last(wire: ChatRequest) -> bool:
    """Return whether the answer goes on with the last message, as vLLM has it."""
    if not wire.continue_final_message:
        if wire.add_generation_prompt is False:
            raise InvalidRequest(
                "'add_generation_prompt': false needs 'continue_final_message': true", param="add_generation_prompt"
            )
        return False
    if wire.add_generation_prompt:
        raise InvalidRequest(
            "'continue_final_message' and 'add_generation_prompt' exclude each other", param="add_generation_prompt"
        )
    if wire.messages[-1].role != "assistant":
        raise InvalidRequest(
            "'continue_final_message': the last of the messages is not the assistant's", param="continue_final_message"
        )
    return True
