"""Token counts and timings as clients read them."""

import msgspec

from appliance.core.events import Finished, Timings, Usage


class PromptTokensDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Of the prompt's tokens: those that the prefix cache answered."""

    cached_tokens: int
    audio_tokens: int = 0


class CompletionTokensDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Of the generated tokens: kinds that are not generated yet."""

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
    """llama-server's `timings` of one choice. `prompt_n` is what was computed, `cache_n` what was not."""

    cache_n: int
    prompt_n: int
    prompt_ms: float
    prompt_per_token_ms: float | None
    prompt_per_second: float | None
    predicted_n: int
    predicted_ms: float
    predicted_per_token_ms: float | None
    predicted_per_second: float | None


class UsageTally:
    """Adds up the usage of a call's choices; choices `[p * n, (p + 1) * n)` belong to prompt `p`."""

    def __init__(self, num_choices: int) -> None:
        self._num_choices = num_choices
        self._prompt_tokens = 0
        self._cached_tokens = 0
        self._completion_tokens = 0

    def add(self, finished: Finished) -> None:
        """Count one choice; its prompt only with the prompt's first choice."""
        self._completion_tokens += finished.usage.completion_tokens
        if finished.choice % self._num_choices == 0:
            self._prompt_tokens += finished.usage.prompt_tokens
            self._cached_tokens += finished.usage.cached_tokens

    def wire(self) -> UsageWire:
        """Return the sums so far."""
        return UsageWire(
            prompt_tokens=self._prompt_tokens,
            completion_tokens=self._completion_tokens,
            total_tokens=self._prompt_tokens + self._completion_tokens,
            prompt_tokens_details=PromptTokensDetails(cached_tokens=self._cached_tokens),
            completion_tokens_details=CompletionTokensDetails(),
        )


def timings_wire(usage: Usage, timings: Timings) -> TimingsWire:
    """Return `timings` in llama-server's names; a rate over nothing is None."""
    computed = usage.prompt_tokens - usage.cached_tokens
    return TimingsWire(
        cache_n=usage.cached_tokens,
        prompt_n=computed,
        prompt_ms=timings.prefill_s * 1000,
        prompt_per_token_ms=_divide(timings.prefill_s * 1000, computed),
        prompt_per_second=_divide(computed, timings.prefill_s),
        predicted_n=usage.completion_tokens,
        predicted_ms=timings.decode_s * 1000,
        predicted_per_token_ms=_divide(timings.decode_s * 1000, usage.completion_tokens),
        predicted_per_second=_divide(usage.completion_tokens, timings.decode_s),
    )


def _divide(amount: float, by: float) -> float | None:
    return amount / by if by > 0 else None
