"""How much is thought, what is shown of it, and how it comes back."""

from typing import Any

import pytest

from appliance.core.request import Reasoning
from appliance.dialects.anthropic.thinking import (
    ThinkingWire,
    display_of,
    reasoning_of,
    signature_of,
    thinking_of,
)

ADAPTIVE = ThinkingWire(type="adaptive")


@pytest.mark.parametrize(
    ("thinking", "effort", "reasoning"),
    [
        (None, None, Reasoning(effort="none")),
        (None, "high", Reasoning(effort="none")),
        (ThinkingWire(type="disabled"), "high", Reasoning(effort="none")),
        (ThinkingWire(type="between_tools"), None, Reasoning(effort="none")),
        (ADAPTIVE, None, Reasoning(effort="medium")),
        (ADAPTIVE, "low", Reasoning(effort="low")),
        (ADAPTIVE, "max", Reasoning(effort="xhigh")),
        (ThinkingWire(type="enabled", budget_tokens=2048), None, Reasoning(effort="medium", max_tokens=2048)),
    ],
)
def test_nothing_is_thought_unless_it_is_asked_for(thinking: Any, effort: Any, reasoning: Reasoning) -> None:
    assert reasoning_of(thinking, effort) == reasoning


def test_thoughts_that_nobody_asked_for_are_not_shown() -> None:
    assert display_of(None) == display_of(ThinkingWire(type="disabled")) == "hidden"
    assert display_of(ADAPTIVE) == display_of(ThinkingWire(type="adaptive", display="summarized")) == "shown"


def test_omitted_thoughts_come_back_from_their_signature() -> None:
    assert display_of(ThinkingWire(type="adaptive", display="omitted")) == "omitted"
    signature = signature_of("größer 🙂", "omitted")
    assert thinking_of("", signature) == "größer 🙂"


def test_a_signature_of_shown_thoughts_does_not_grow_with_them() -> None:
    assert len(signature_of("a", "shown")) == len(signature_of("a" * 10_000, "shown"))
    assert signature_of("a", "shown") != signature_of("b", "shown")


@pytest.mark.parametrize("signature", ["", "ErUB3…", "not base64!", "AAAA", "/w==", signature_of("a", "shown")])
def test_any_signature_is_accepted_and_shown_thoughts_count(signature: str) -> None:
    assert thinking_of("I thought", signature) == "I thought"
    assert thinking_of("", signature) == ""
