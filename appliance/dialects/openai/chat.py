"""`POST /v1/chat/completions`, inwards: the request as clients send it, and what it means."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from appliance.core.request import ChatPrompt, GenerateRequest, Message, RequestId
from appliance.errors import InvalidRequest

from .sampling import GenerationFields, NumTop, Positive, refuse_not_offered, sampling_of, stop_of


class ContentPart(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a message's content. Only text can be read by now."""

    type: str
    text: str | None = None
    refusal: str | None = None


class MessageWire(msgspec.Struct, frozen=True, kw_only=True):
    """One turn. An assistant's content may be null."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None
    name: str | None = None
    tool_calls: list[Any] | None = None
    function_call: dict[str, Any] | None = None


class ChatRequest(GenerationFields, frozen=True, kw_only=True):
    """The body of the request. Unknown fields are ignored."""

    messages: Annotated[list[MessageWire], Meta(min_length=1)]
    max_completion_tokens: Positive | None = None
    logprobs: bool | None = None
    top_logprobs: NumTop | None = None
    chat_template_kwargs: dict[str, Any] | None = None


def chat_to_core(wire: ChatRequest, id: RequestId, model: str) -> GenerateRequest:
    """Return the request for the engine. Raises: InvalidRequest, with the field."""
    refuse_not_offered(wire)
    prompt = ChatPrompt(
        messages=tuple(_message(message, f"messages[{i}]") for i, message in enumerate(wire.messages)),
        template_kwargs=wire.chat_template_kwargs or {},
    )
    return GenerateRequest(
        id=id,
        model=model,
        prompt=prompt,
        sampling=sampling_of(wire),
        stop=stop_of(wire, wire.max_completion_tokens or wire.max_tokens),
        num_choices=wire.n or 1,
        logprobs=_num_logprobs(wire),
        cache_prompt=wire.cache_prompt is not False,
        timings_per_token=bool(wire.timings_per_token),
        priority=wire.priority or "normal",
        deadline_s=wire.deadline_s,
    )


def _num_logprobs(wire: ChatRequest) -> int | None:
    if wire.top_logprobs is not None and not wire.logprobs:
        raise InvalidRequest("'top_logprobs' needs 'logprobs': true", param="top_logprobs")
    if not wire.logprobs and not wire.n_probs:
        return None
    return max(wire.top_logprobs or 0, wire.n_probs or 0)


def _role(wire: MessageWire) -> Literal["system", "user", "assistant", "tool"]:
    if wire.role == "developer":
        return "system"
    return "tool" if wire.role == "function" else wire.role


def _message(wire: MessageWire, path: str) -> Message:
    for field in ("tool_calls", "function_call"):
        if getattr(wire, field):
            raise InvalidRequest(f"'{path}.{field}' is not supported by this version", param=f"{path}.{field}")
    if wire.content is None and wire.role != "assistant":
        raise InvalidRequest(f"'{path}.content' is required", param=f"{path}.content")
    return Message(role=_role(wire), content=_text(wire.content, path), name=wire.name)


def _text(content: str | list[ContentPart] | None, path: str) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    texts = []
    for i, part in enumerate(content):
        text = part.text if part.type == "text" else part.refusal if part.type == "refusal" else None
        if text is None:
            where = f"{path}.content[{i}]"
            raise InvalidRequest(f"'{where}': this model reads text only, not {part.type!r}", param=where)
        texts.append(text)
    return "\n".join(texts)
