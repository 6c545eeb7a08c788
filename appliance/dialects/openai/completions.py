"""`POST /v1/completions`, inwards: one or many prompts, as text or as token ids."""

from typing import Annotated

from msgspec import Meta

from appliance.core.request import GenerateRequest, Prompt, RequestId, TextPrompt, TokenPrompt
from appliance.errors import InvalidRequest

from .sampling import GenerationFields, NumTop, TokenId, refuse_not_offered, sampling_of, stop_of

MAX_PROMPTS = 128
# Source: OpenAI's API reference, "Create completion": the default of `max_tokens`
DEFAULT_MAX_TOKENS = 16

Tokens = Annotated[list[TokenId], Meta(min_length=1)]


class CompletionRequest(GenerationFields, frozen=True, kw_only=True):
    """The body of the request. Unknown fields are ignored."""

    prompt: str | Annotated[list[str | TokenId | Tokens], Meta(min_length=1)]
    logprobs: NumTop | None = None


def completion_to_core(wire: CompletionRequest, id: RequestId, model: str) -> list[GenerateRequest]:
    """Return a request for each prompt. Raises: InvalidRequest, with the field."""
    refuse_not_offered(wire)
    prompts = prompts_of(wire)
    return [
        GenerateRequest(
            id=id if len(prompts) == 1 else RequestId(f"{id}-{i}"),
            model=model,
            prompt=prompt,
            sampling=sampling_of(wire),
            stop=stop_of(wire, wire.max_tokens or DEFAULT_MAX_TOKENS),
            num_choices=wire.n or 1,
            logprobs=wire.logprobs if wire.logprobs is not None else wire.n_probs or None,
            cache_prompt=wire.cache_prompt is not False,
            timings_per_token=bool(wire.timings_per_token),
            priority=wire.priority or "normal",
            deadline_s=wire.deadline_s,
        )
        for i, prompt in enumerate(prompts)
    ]


def prompts_of(wire: CompletionRequest) -> list[Prompt]:
    """Return the prompts of a request: a string, strings, token ids, or lists of token ids."""
    if isinstance(wire.prompt, str):
        return [TextPrompt(text=wire.prompt)]
    texts = [item for item in wire.prompt if isinstance(item, str)]
    tokens = [item for item in wire.prompt if isinstance(item, int)]
    token_lists = [item for item in wire.prompt if isinstance(item, list)]
    if len(tokens) == len(wire.prompt):
        return [TokenPrompt(tokens=tuple(tokens))]
    if len(wire.prompt) > MAX_PROMPTS:
        raise InvalidRequest(f"'prompt' holds {len(wire.prompt)} prompts; at most {MAX_PROMPTS}", param="prompt")
    if len(texts) == len(wire.prompt):
        return [TextPrompt(text=text) for text in texts]
    if len(token_lists) == len(wire.prompt):
        return [TokenPrompt(tokens=tuple(ids)) for ids in token_lists]
    raise InvalidRequest("'prompt' mixes texts and token ids", param="prompt")
