"""Token counts and timings as clients read them."""

import msgspec
from msgspec import UNSET, UnsetType

from appliance.core.events import Timings, Usage


class PromptTokensDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Of the prompt's tokens: those that the prefix cache answered."""

    cached_tokens: int
    audio_tokens: int = 0


class CompletionTokensDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Of the generated tokens: those that were guessed ahead and confirmed, and guesses that were not.

    OpenAI counts here the prediction that the caller sends; ours come from prompt and output themselves.
    """

    reasoning_tokens: int = 0
    audio_tokens: int = 0
    accepted_prediction_tokens: int = 0
    rejected_prediction_tokens: int = 0


class UsageWire(msgspec.Struct, frozen=True, kw_only=True):
    """OpenAI's `usage`: the prompt counted once, the completions of all choices together."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails


class TimingsWire(msgspec.Struct, frozen=True, kw_only=True):
    """llama-server's `timings` of one choice. `prompt_n` is what was computed, `cache_n` what was not.

    `queue_ms` is ours: from arrival to its place. The drafts are there when tokens were guessed ahead.
    """

    queue_ms: float
    cache_n: int
    prompt_n: int
    prompt_ms: float
    prompt_per_token_ms: float | None
    prompt_per_second: float | None
    predicted_n: int
    predicted_ms: float
    predicted_per_token_ms: float | None
    predicted_per_second: float | None
    draft_n: int | UnsetType = UNSET
    draft_n_accepted: int | UnsetType = UNSET


def usage_wire(usage: Usage) -> UsageWire:
    """Return `usage` in OpenAI's names."""
    return UsageWire(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
        prompt_tokens_details=PromptTokensDetails(cached_tokens=usage.cached_tokens),
        completion_tokens_details=CompletionTokensDetails(
            reasoning_tokens=usage.reasoning_tokens,
            accepted_prediction_tokens=usage.accepted_draft_tokens,
            rejected_prediction_tokens=usage.rejected_draft_tokens,
        ),
    )


def timings_wire(usage: Usage, timings: Timings) -> TimingsWire:
    """Return `timings` in llama-server's names; a rate over nothing is None."""
    computed = usage.prompt_tokens - usage.cached_tokens
    num_drafts = usage.accepted_draft_tokens + usage.rejected_draft_tokens
    return TimingsWire(
        queue_ms=timings.queue_s * 1000,
        cache_n=usage.cached_tokens,
        prompt_n=computed,
        prompt_ms=timings.prefill_s * 1000,
        prompt_per_token_ms=_divide(timings.prefill_s * 1000, computed),
        prompt_per_second=_divide(computed, timings.prefill_s),
        predicted_n=usage.completion_tokens,
        predicted_ms=timings.decode_s * 1000,
        predicted_per_token_ms=_divide(timings.decode_s * 1000, usage.completion_tokens),
        predicted_per_second=_divide(usage.completion_tokens, timings.decode_s),
        draft_n=num_drafts or UNSET,
        draft_n_accepted=usage.accepted_draft_tokens if num_drafts else UNSET,
    )


def _divide(amount: float, by: float) -> float | None:
    return amount / by if by > 0 else None
