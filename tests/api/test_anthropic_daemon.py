"""Anthropic's dialect against the daemon as a process: what is charged is what was counted, and what was kept."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from anthropic import Anthropic, BadRequestError
from anthropic.types import Usage

from tests.api.claude import HI, WEATHER, client
from tests.conftest import RealDaemon

CALL = {"type": "tool_use", "id": "call_a", "name": "weather", "input": {"city": "Paris"}}
RESULT = {"type": "tool_result", "tool_use_id": "call_a", "content": [{"type": "text", "text": "rain"}]}
THOUGHTS = {"type": "thinking", "thinking": "They ask about the weather.", "signature": "x"}
TURNS = [
    *HI,
    {"role": "assistant", "content": [THOUGHTS, {"type": "text", "text": "Let me look."}, CALL]},
    {"role": "user", "content": [RESULT, {"type": "text", "text": "And tomorrow?"}]},
]
SHAPES: dict[str, dict[str, Any]] = {
    "one message": {"messages": HI},
    "a system prompt": {"messages": HI, "system": [{"type": "text", "text": "Be brief."}]},
    "tools": {"messages": HI, "tools": [WEATHER, {"type": "bash_20250124", "name": "bash"}]},
    "a tool that must be called": {
        "messages": HI,
        "tools": [WEATHER],
        "tool_choice": {"type": "tool", "name": "weather"},
    },
    "thinking": {"messages": HI, "thinking": {"type": "enabled", "budget_tokens": 1024}},
    "many turns": {"messages": TURNS, "tools": [WEATHER], "system": "Be brief."},
    "a turn to go on with": {"messages": [*HI, {"role": "assistant", "content": "Hello, "}]},
}


@pytest.fixture
def anthropic(real_daemon: RealDaemon) -> Iterator[Anthropic]:
    with client(real_daemon.url) as anthropic:
        yield anthropic


def prompt_tokens(usage: Usage) -> int:
    return usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_count_is_what_a_message_is_charged(anthropic: Anthropic, shape: dict[str, Any]) -> None:
    counted = anthropic.messages.count_tokens(model="guide", **shape).input_tokens
    assert counted > 0
    message = anthropic.messages.create(model="guide", max_tokens=1, **shape)
    assert prompt_tokens(message.usage) == counted
    with anthropic.messages.stream(model="guide", max_tokens=1, **shape) as stream:
        starts = [prompt_tokens(event.message.usage) for event in stream if event.type == "message_start"]
    assert starts == [counted]


def test_what_is_counted_grows_with_what_is_said(anthropic: Anthropic) -> None:
    def count(**fields: Any) -> int:
        return anthropic.messages.count_tokens(model="guide", **{"messages": HI} | fields).input_tokens

    least = count()
    assert min(count(system="Be brief."), count(tools=[WEATHER]), count(messages=TURNS)) > least


def test_streamed_and_whole_are_one_answer(anthropic: Anthropic) -> None:
    question: dict[str, Any] = {"model": "guide", "max_tokens": 12, "messages": HI, "extra_body": {"temperature": 0}}
    whole = anthropic.messages.create(**question)
    with anthropic.messages.stream(**question) as stream:
        streamed = stream.get_final_message()
    assert whole.content[0].type == streamed.content[0].type == "text"
    assert (whole.content[0].text, whole.usage.output_tokens) == (
        streamed.content[0].text,
        streamed.usage.output_tokens,
    )


def test_a_prompt_is_read_once_whatever_its_billing_line_says(anthropic: Anthropic) -> None:
    rules = f"You are Claude Code number {secrets.token_hex(4)}. " + "Be brief. " * 60

    def ask(cch: str) -> Usage:
        line = f"x-anthropic-billing-header: cc_version=2.1.177.01c; cc_entrypoint=cli; cch={cch};"
        system: Any = [{"type": "text", "text": line}, {"type": "text", "text": rules}]
        return anthropic.messages.create(model="guide", max_tokens=1, messages=HI, system=system).usage

    first, second = ask("36ee5"), ask("0aaa9")
    assert prompt_tokens(first) == prompt_tokens(second)
    assert first.input_tokens > 100
    assert second.input_tokens < 20


def test_a_prompt_that_does_not_fit_is_refused_with_both_numbers(anthropic: Anthropic) -> None:
    long: Any = [{"role": "user", "content": "one two " * 2000}]
    with pytest.raises(BadRequestError, match=r"prompt is too long: \d{4,} tokens > 2048 maximum"):
        anthropic.messages.create(model="guide", max_tokens=1, messages=long)
    assert anthropic.messages.count_tokens(model="guide", messages=long).input_tokens > 2048
