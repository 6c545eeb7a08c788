"""`POST /v1/completions`, inwards: one or many prompts, as text or as token ids."""

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta

from appliance.core.request import FillPrompt, GenerateRequest, Prompt, RequestId, TextPrompt, TokenPrompt
from appliance.errors import InvalidRequest

from .completions_reply import CompletionShape
from .constraints import constraint_of
from .sampling import (
    NOT_OFFERED,
    GenerationFields,
    NotOffered,
    NumTop,
    TokenId,
    cache_wish_of,
    refuse_not_offered,
    sampling_of,
    stop_of,
)

MAX_PROMPTS = 128
# Source: OpenAI's API reference, "Create completion": the default of `max_tokens`
DEFAULT_MAX_TOKENS = 16

Tokens = Annotated[list[TokenId], Meta(min_length=1)]

_NOT_OFFERED: NotOffered = {
    **NOT_OFFERED,
    "tools": (None, []),
    "tool_choice": (None, "none", "auto"),
    "functions": (None, []),
    "function_call": (None, "none", "auto"),
}


class CompletionRequest(GenerationFields, frozen=True, kw_only=True):
    """The body of the request. Unknown fields are ignored."""

    prompt: str | Annotated[list[str | TokenId | Tokens], Meta(min_length=1)]
    max_tokens: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    logprobs: NumTop | None = None
    echo: bool | None = None
    suffix: str | None = None
    best_of: Annotated[int, Meta(ge=1, le=128)] | None = None
    tools: Any = None
    tool_choice: Any = None
    functions: Any = None
    function_call: Any = None

    @property
    def num_logprobs(self) -> int | None:
        """How many candidates the answer shows beside each token; None: no log-probabilities at all."""
        return self.logprobs if self.logprobs is not None else self.n_probs or None

    @property
    def num_candidates(self) -> int:
        """How many continuations of a prompt are made; the best `n` of them are answered."""
        return self.best_of or self.n or 1


def completion_to_core(wire: CompletionRequest, id: RequestId, model: str) -> list[GenerateRequest]:
    """Return a request for each prompt. Raises: InvalidRequest, with the field."""
    refuse_not_offered(wire, _NOT_OFFERED)
    _check_candidates(wire)
    if wire.max_tokens == 0 and not wire.echo:
        raise InvalidRequest("'max_tokens': 0 leaves nothing to answer without 'echo'", param="max_tokens")
    is_choosing = wire.num_candidates > (wire.n or 1)
    prompts = prompts_of(wire)
    return [
        GenerateRequest(
            id=id if len(prompts) == 1 else RequestId(f"{id}-{i}"),
            model=model,
            prompt=prompt,
            sampling=sampling_of(wire),
            stop=stop_of(wire, DEFAULT_MAX_TOKENS if wire.max_tokens is None else wire.max_tokens),
            num_choices=wire.num_candidates,
            logprobs=0 if wire.num_logprobs is None and is_choosing else wire.num_logprobs,
            constraint=constraint_of(wire),
            echoes_prompt=bool(wire.echo),
            cache_prompt=wire.cache_prompt is not False,
            timings_per_token=bool(wire.timings_per_token),
            priority=wire.priority or "normal",
            deadline_s=wire.deadline_s,
            cache=cache_wish_of(wire),
        )
        for i, prompt in enumerate(prompts)
    ]


def completion_shape(wire: CompletionRequest, cores: Sequence[GenerateRequest]) -> CompletionShape:
    """Return what of the answer's form depends on the request."""
    return CompletionShape(
        ids=tuple(core.id for core in cores),
        n=wire.n or 1,
        num_candidates=wire.num_candidates,
        shows_logprobs=wire.num_logprobs is not None,
    )


def prompts_of(wire: CompletionRequest) -> list[Prompt]:
    """Return the prompts of a request, each with the gap before `suffix` where there is one."""
    prompts = _prompts(wire)
    if not wire.suffix:
        return prompts
    if wire.echo:
        raise InvalidRequest("'suffix' cannot be combined with 'echo'", param="suffix")
    texts = [prompt.text for prompt in prompts if isinstance(prompt, TextPrompt)]
    if len(texts) < len(prompts):
        raise InvalidRequest("'suffix' needs prompts that are texts", param="suffix")
    return [FillPrompt(prefix=text, suffix=wire.suffix) for text in texts]


def _check_candidates(wire: CompletionRequest) -> None:
    if wire.best_of is None:
        return
    n = wire.n or 1
    if wire.best_of < n:
        raise InvalidRequest(f"'best_of' is {wire.best_of}, less than 'n', which is {n}", param="best_of")
    if wire.stream and wire.best_of > n:
        raise InvalidRequest("'best_of' cannot be streamed: which are the best is known at the end", param="best_of")


def _prompts(wire: CompletionRequest) -> list[Prompt]:
    """Return a string, strings, token ids, or lists of token ids as prompts."""
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
