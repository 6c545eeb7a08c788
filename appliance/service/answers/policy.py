"""Whether an answer may come from the cache and be kept there, and under which name. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import msgspec

from appliance.core.caller import Caller
from appliance.core.fingerprint import response_fingerprint
from appliance.core.request import AdapterRef, ChatPrompt, GenerateRequest, Media, Message, Prompt, RequestId
from appliance.core.response_cache import CacheMark, CacheOutcome, CacheScope, CacheWish
from appliance.settings import CacheSettings

_COSTS: tuple[CacheOutcome, ...] = ("hit", "shared", "miss", "bypass")


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePlan:
    """What is done for one request: it is looked up and kept under `name`.

    `neighbourhood` names all requests that differ in their last question alone; None where near ones do not count.
    """

    name: str
    neighbourhood: str | None
    question: str
    reads: bool
    ttl_s: float
    max_age_s: float | None
    only_cached: bool


def plan(
    request: GenerateRequest, content: Callable[[str], str], caller: Caller, settings: CacheSettings
) -> CachePlan | None:
    """Return what the cache does for a request to a model, None where it stays aside."""
    wish = request.cache or CacheWish()
    mode = wish.mode or settings.mode
    if mode == "off" or settings.mode == "off" or not (mode == "force" or is_repeatable(request)):
        return None
    owner = owner_of(caller, wish.scope or settings.scope, settings.scope)
    named = partial(response_fingerprint, content=content(request.model), owner=owner)
    rest, question = without_question(request)
    is_near_allowed = settings.semantic_model is not None and wish.semantic and question
    return CachePlan(
        name=named(request=said(request)),
        neighbourhood=named(request=said(rest)) if is_near_allowed else None,
        question=question,
        reads=not wish.refreshes,
        ttl_s=settings.ttl_s if wish.ttl_s is None else min(wish.ttl_s, settings.ttl_s),
        max_age_s=wish.max_age_s,
        only_cached=wish.only_cached,
    )


def without_question(request: GenerateRequest) -> tuple[GenerateRequest, str]:
    """Return a conversation without what was said last, and that; an empty text where it was not a person's."""
    prompt = request.prompt
    if not isinstance(prompt, ChatPrompt) or not prompt.messages or prompt.messages[-1].role != "user":
        return request, ""
    before, last = prompt.messages[:-1], prompt.messages[-1]
    blank = msgspec.structs.replace(prompt, messages=(*before, msgspec.structs.replace(last, content="")))
    return msgspec.structs.replace(request, prompt=blank), last.content


def is_repeatable(request: GenerateRequest) -> bool:
    """Return whether the same request would be answered in the same words again."""
    return request.sampling.temperature == 0 or request.sampling.seed is not None


def owner_of(caller: Caller, wished: CacheScope, allowed: CacheScope) -> str | None:
    """Return whose answers these are, None for everybody's. Sharing needs both: the settings and the request."""
    return None if wished == allowed == "shared" else caller.id


def said(request: GenerateRequest) -> bytes:
    """Return what decides over the answer, as bytes that are equal for equal requests."""
    neutral = msgspec.structs.replace(
        request,
        prompt=_without_bytes(request.prompt),
        id=RequestId(""),
        model="",
        cache_prompt=True,
        priority="normal",
        deadline_s=None,
        keep_alive_s=None,
        cache=None,
        adapters=tuple(sorted(map(_content_of, request.adapters), key=lambda adapter: (adapter.digest, adapter.scale))),
        served_by="",
    )
    return msgspec.json.encode(neutral, order="deterministic")


def _without_bytes(prompt: Prompt) -> Prompt:
    """Return the prompt with the digest of each medium alone, which stands for its bytes."""
    if not isinstance(prompt, ChatPrompt) or not any(message.media for message in prompt.messages):
        return prompt
    return msgspec.structs.replace(prompt, messages=tuple(map(_named_by_digest, prompt.messages)))


def _named_by_digest(message: Message) -> Message:
    media = (msgspec.structs.replace(each, data=b"") if isinstance(each, Media) else each for each in message.media)
    return msgspec.structs.replace(message, media=tuple(media))


def _content_of(adapter: AdapterRef) -> AdapterRef:
    """Return what of an adapter decides over an answer."""
    return AdapterRef(
        name="", digest=adapter.digest, path="", format=adapter.format, compiled_path="", scale=adapter.scale
    )


def merged_mark(marks: Sequence[CacheMark]) -> CacheMark:
    """Return the mark of a call with several requests: that of the one that cost most; only hits have an age."""
    worst = max(marks, key=lambda mark: _COSTS.index(mark.outcome)).outcome
    return CacheMark(outcome=worst, age_s=max(mark.age_s or 0.0 for mark in marks) if worst == "hit" else None)
