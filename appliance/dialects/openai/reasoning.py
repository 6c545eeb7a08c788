"""How much thinking is asked for, in the words of OpenAI, OpenRouter, llama-server and the templates themselves."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from appliance.core.request import Reasoning, ReasoningEffort

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
NumThinkingTokens = Annotated[int, Meta(ge=0, le=2**31 - 1)]
# llama-server's -1 is a budget without an end
ThinkingBudget = Annotated[int, Meta(ge=-1, le=2**31 - 1)]

_SWITCHES = ("enable_thinking", "thinking")
"""The variables by which templates are told not to think."""


class ReasoningWire(msgspec.Struct, frozen=True, kw_only=True):
    """OpenRouter's `reasoning`. With `exclude` the model thinks and does not show it."""

    effort: Effort | None = None
    max_tokens: NumThinkingTokens | None = None
    enabled: bool | None = None
    exclude: bool | None = None


def reasoning_of(
    effort: Effort | None, wire: ReasoningWire | None, budget: int | None, template_kwargs: dict[str, Any]
) -> Reasoning:
    """Return what all of it means together: what is off in one place stays off, and the first number counts."""
    wire = wire or ReasoningWire()
    max_tokens = wire.max_tokens if wire.max_tokens is not None else budget
    is_off = wire.enabled is False or max_tokens == 0 or any(template_kwargs.get(name) is False for name in _SWITCHES)
    if is_off:
        return Reasoning(effort="none")
    return Reasoning(
        effort=_effort(effort or wire.effort), max_tokens=None if max_tokens is None or max_tokens < 0 else max_tokens
    )


def _effort(wire: Effort | None) -> ReasoningEffort | None:
    return "xhigh" if wire == "max" else wire
