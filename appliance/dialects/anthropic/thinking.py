"""Thinking: how much of it is asked for, whether it is shown, and the signatures of what was shown."""

import base64
import binascii
import hashlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from appliance.core.request import Reasoning, ReasoningEffort

Effort = Literal["low", "medium", "high", "xhigh", "max"]
Display = Literal["shown", "omitted", "hidden"]
"""What becomes of thoughts: said; only signed, so that the next turn can have them back; or dropped."""

_USUAL_EFFORT: ReasoningEffort = "medium"
_SIGNED, _CARRIED = b"signed:", b"carried:"


class ThinkingWire(msgspec.Struct, frozen=True, kw_only=True):
    """The field `thinking`. Anthropic's own budgets begin at 1024 tokens; small models think less."""

    type: Literal["enabled", "adaptive", "disabled", "between_tools"]
    budget_tokens: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    display: Literal["summarized", "omitted"] | None = None


def reasoning_of(thinking: ThinkingWire | None, effort: Effort | None) -> Reasoning:
    """Return how much the model thinks: not at all unless it is asked to, as clients of this API expect."""
    if thinking is None or thinking.type in ("disabled", "between_tools"):
        return Reasoning(effort="none")
    return Reasoning(effort="xhigh" if effort == "max" else effort or _USUAL_EFFORT, max_tokens=thinking.budget_tokens)


def display_of(thinking: ThinkingWire | None) -> Display:
    """Return what becomes of thoughts. Models that cannot but think do so without being asked: nobody reads that."""
    if thinking is None or thinking.type == "disabled":
        return "hidden"
    return "omitted" if thinking.display == "omitted" else "shown"


def signature_of(thinking: str, display: Display) -> str:
    """Return what stands under a thinking block: clients send none back without. Under an omitted one, its text."""
    if display == "omitted":
        return base64.b64encode(_CARRIED + thinking.encode()).decode()
    return base64.b64encode(_SIGNED + hashlib.blake2b(thinking.encode(), digest_size=32).digest()).decode()


def thinking_of(shown: str, signature: str) -> str:
    """Return the thoughts of a block that came back, from its signature where they were omitted.

    A signature is not verified: whoever holds the conversation may edit it, and it may have begun on another server.
    """
    if shown:
        return shown
    try:
        signed = base64.b64decode(signature, validate=True)
        return signed.removeprefix(_CARRIED).decode() if signed.startswith(_CARRIED) else ""
    except (binascii.Error, ValueError):
        return ""
