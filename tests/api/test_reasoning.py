"""Thinking in `POST /v1/chat/completions`: how much is asked for, how it is shown, how it comes back."""

import json
from typing import Any

import httpx
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from appliance.core.request import ChatPrompt, Reasoning
from tests.api.conftest import Daemon
from tests.fakes import delta, finished

HI: list[Any] = [{"role": "user", "content": "Hi"}]


@pytest.fixture(autouse=True)
def thinker(daemon: Daemon) -> None:
    daemon.scheduler.script = lambda r: [
        delta(r, "", reasoning="Let me "),
        delta(r, "", reasoning='"think"\n'),
        delta(r, "Hello"),
        finished(r, completion_tokens=3, reasoning_tokens=2),
    ]


def prompt_of(daemon: Daemon) -> ChatPrompt:
    prompt = daemon.scheduler.last.prompt
    assert isinstance(prompt, ChatPrompt)
    return prompt


def test_thinking_stands_beside_the_answer_under_both_names(http: httpx.Client) -> None:
    body = http.post("/v1/chat/completions", json={"messages": HI}).json()
    ChatCompletion.model_validate(body, strict=True)
    message = body["choices"][0]["message"]
    assert message["content"] == "Hello"
    assert message["reasoning_content"] == message["reasoning"] == 'Let me "think"\n'
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] == 2


def test_thinking_is_streamed_before_the_answer(http: httpx.Client) -> None:
    text = http.post("/v1/chat/completions", json={"messages": HI, "stream": True}).text
    chunks = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    assert all(ChatCompletionChunk.model_validate(chunk, strict=True) for chunk in chunks)
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": "", "refusal": None},
        {"reasoning_content": "Let me ", "reasoning": "Let me "},
        {"reasoning_content": '"think"\n', "reasoning": '"think"\n'},
        {"content": "Hello"},
        {},
    ]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("hidden", [{"include_reasoning": False}, {"reasoning": {"exclude": True}}])
def test_thinking_that_nobody_wants_to_see_is_left_out(
    http: httpx.Client, hidden: dict[str, Any], stream: bool
) -> None:
    text = http.post("/v1/chat/completions", json={"messages": HI, "stream": stream, **hidden}).text
    assert "think" not in text
    assert "Hello" in text


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({}, Reasoning()),
        ({"reasoning_effort": "low"}, Reasoning(effort="low")),
        ({"reasoning_effort": "max"}, Reasoning(effort="xhigh")),
        ({"reasoning_effort": "none"}, Reasoning(effort="none")),
        ({"reasoning": {"effort": "high", "max_tokens": 9}}, Reasoning(effort="high", max_tokens=9)),
        ({"reasoning": {"enabled": False}}, Reasoning(effort="none")),
        ({"reasoning": {"max_tokens": 0}}, Reasoning(effort="none")),
        ({"thinking_budget_tokens": 5}, Reasoning(max_tokens=5)),
        ({"thinking_budget_tokens": -1}, Reasoning()),
        ({"reasoning_budget": 0}, Reasoning(effort="none")),
        ({"chat_template_kwargs": {"enable_thinking": False}}, Reasoning(effort="none")),
        ({"chat_template_kwargs": {"enable_thinking": True}, "reasoning_effort": "low"}, Reasoning(effort="low")),
    ],
)
def test_how_much_is_thought_is_understood_in_every_way_that_clients_say_it(
    http: httpx.Client, daemon: Daemon, fields: dict[str, Any], reasoning: Reasoning
) -> None:
    assert http.post("/v1/chat/completions", json={"messages": HI, **fields}).status_code == 200
    assert prompt_of(daemon).reasoning == reasoning
    assert prompt_of(daemon).template_kwargs == fields.get("chat_template_kwargs", {})


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_thinking_of_an_earlier_turn_comes_back_in(http: httpx.Client, daemon: Daemon, name: str) -> None:
    turn = {"role": "assistant", "content": "Hello", name: "Let me think"}
    http.post("/v1/chat/completions", json={"messages": [*HI, turn, *HI]})
    assert [message.reasoning for message in prompt_of(daemon).messages] == [None, "Let me think", None]
