"""What a message cost and why it ended, in Anthropic's words."""

from typing import Literal

import msgspec

from appliance.core.events import Finished, Usage

StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "model_context_window_exceeded"]


class CacheCreation(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens that were paid for to be kept. Here every prompt is kept, and none is paid for."""

    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0


class OutputTokensDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Of the generated tokens: those that were thought."""

    thinking_tokens: int


class DeltaUsageWire(msgspec.Struct, frozen=True, kw_only=True):
    """What a stream has cost so far. The prompt is the sum of its three kinds of `input_tokens`."""

    input_tokens: int
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    server_tool_use: None = None


class UsageWire(DeltaUsageWire, frozen=True, kw_only=True):
    """What a message cost."""

    cache_creation: CacheCreation = CacheCreation()
    service_tier: str = "standard"
    inference_geo: None = None
    speed: None = None


NO_USAGE = Usage(prompt_tokens=0, cached_tokens=0, completion_tokens=0)


def usage_wire(usage: Usage) -> UsageWire:
    """Return `usage` as a message has it."""
    return UsageWire(**msgspec.structs.asdict(delta_usage_wire(usage)))


def delta_usage_wire(usage: Usage) -> DeltaUsageWire:
    """Return `usage` as the end of a stream has it."""
    return DeltaUsageWire(
        input_tokens=usage.prompt_tokens - usage.cached_tokens,
        cache_read_input_tokens=usage.cached_tokens,
        output_tokens=usage.completion_tokens,
        output_tokens_details=OutputTokensDetails(thinking_tokens=usage.reasoning_tokens),
    )


def stop_reason_of(finished: Finished, max_tokens: int) -> StopReason:
    """Return why an answer ended: with fewer than `max_tokens` cut short, the context was full."""
    if finished.reason == "tool_calls":
        return "tool_use"
    if finished.reason == "length":
        is_full = finished.usage.completion_tokens < max_tokens
        return "model_context_window_exceeded" if is_full else "max_tokens"
    return "end_turn" if finished.stop_string is None else "stop_sequence"
