"""Anthropic's dialect against a daemon whose model repeats the last message: thoughts, calls and forms as asked."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from anthropic import Anthropic, beta_tool
from anthropic.types import ThinkingBlock
from pydantic import BaseModel

from tests.api.claude import WEATHER, async_client, client
from tests.conftest import RealDaemon, running_daemon

PROGRAM = Path(__file__).parents[1] / "clients" / "daemon.py"
THINKING: Any = {"type": "adaptive"}


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    home = tmp_path_factory.mktemp("echo") / "home"
    with (
        patch("tests.conftest.serve_command", lambda: [sys.executable, str(PROGRAM), str(home), "--model", "echo"]),
        running_daemon(home) as daemon,
    ):
        daemon.wait_until(lambda: daemon.client.status().is_ready)
        yield daemon


@pytest.fixture
def anthropic(box: RealDaemon) -> Iterator[Anthropic]:
    with client(box.url) as anthropic:
        yield anthropic


def saying(text: str, **more: Any) -> dict[str, Any]:
    """A request that is answered with `text`."""
    return {"model": "echo", "max_tokens": 400, "messages": [{"role": "user", "content": text}], **more}


def call(city: str) -> str:
    """A call as the grammar of calls has it to the last blank: echo counts what was said to find its place."""
    return f"<tool_call>\n{json.dumps({'name': 'weather', 'arguments': {'city': city}})}\n</tool_call>"


def test_an_answer_is_streamed_word_for_word(anthropic: Anthropic, box: RealDaemon) -> None:
    text = "größer 你好 🙂\n\n```python\nprint('<b>')\n```"
    assert anthropic.messages.create(**saying(text)).content[0].to_dict()["text"] == text

    async def ask() -> str:
        async with async_client(box.url) as anthropic, anthropic.messages.stream(**saying(text)) as stream:
            return await stream.get_final_text()

    assert asyncio.run(ask()) == text


@pytest.mark.parametrize("stream", [False, True])
def test_thoughts_words_and_calls_come_apart(anthropic: Anthropic, stream: bool) -> None:
    body = saying(
        f"<think>They ask.</think>Let me look.{call('Oslo')}\n{call('Bergen')}", thinking=THINKING, tools=[WEATHER]
    )
    if stream:
        with anthropic.messages.stream(**body) as events:
            message: Any = events.get_final_message()
    else:
        message = anthropic.messages.create(**body)
    thinking, text, *calls = message.content
    assert (thinking.thinking, text.text.strip()) == ("They ask.", "Let me look.")
    assert [call.input for call in calls] == [{"city": "Oslo"}, {"city": "Bergen"}]
    assert len({call.id for call in calls}) == 2
    assert message.stop_reason == "tool_use"
    assert message.usage.output_tokens_details.thinking_tokens > 0


def test_omitted_thoughts_go_on_in_the_next_turn_whose_prompt_is_mostly_read_already(anthropic: Anthropic) -> None:
    first = saying("<think>They ask.</think>Well. " + "Words, words, words. " * 10)
    first["thinking"] = {"type": "adaptive", "display": "omitted"}
    answer = anthropic.messages.create(**first)
    assert isinstance(answer.content[0], ThinkingBlock)
    assert answer.content[0].thinking == ""
    second = first | {"messages": [*first["messages"], answer.to_param(), {"role": "user", "content": "Go on."}]}
    usage = anthropic.messages.create(**second).usage
    assert (usage.cache_read_input_tokens or 0) >= answer.usage.input_tokens


def test_the_tool_runner_goes_round(anthropic: Anthropic) -> None:
    asked: list[str] = []

    @beta_tool
    def weather(city: str) -> str:
        """Tell the weather.

        Args:
            city: Where.
        """
        asked.append(city)
        return f"rain in {city}"

    last = anthropic.beta.messages.tool_runner(**saying(call("Oslo")), tools=[weather]).until_done()
    assert asked == ["Oslo"]
    assert "rain in Oslo" in last.content[-1].to_dict()["text"]


class City(BaseModel):
    name: str
    is_large: bool


def test_any_model_answers_in_the_form_that_is_asked_for(anthropic: Anthropic) -> None:
    body = saying("Hello") | {"model": "random", "max_tokens": 300}
    config: Any = {"format": {"type": "json_schema", "schema": {"enum": ["yes", "no"]}}}
    assert anthropic.messages.create(**body, output_config=config).content[0].to_dict()["text"] in ('"yes"', '"no"')
    city = City(name="Oslo", is_large=True)
    assert anthropic.messages.parse(**saying(json.dumps(city.model_dump())), output_format=City).parsed_output == city


def test_a_tool_that_must_be_called_is_called_by_any_model(anthropic: Anthropic) -> None:
    cities = {"type": "object", "properties": {"city": {"enum": ["Oslo", "Bergen"]}}, "required": ["city"]}
    body = saying("Hello") | {"model": "random", "tools": [WEATHER | {"input_schema": cities}]}
    choice: Any = {"type": "tool", "name": "weather", "disable_parallel_tool_use": True}
    message = anthropic.messages.create(**body, tool_choice=choice)
    (block,) = [block for block in message.content if block.type == "tool_use"]
    assert block.input["city"] in ("Oslo", "Bergen")


def test_an_answer_goes_on_from_where_the_program_began_it(anthropic: Anthropic) -> None:
    body = saying("one two")
    body["messages"] = [*body["messages"], {"role": "assistant", "content": "one"}]
    assert anthropic.messages.create(**body).content[0].to_dict()["text"] == " two"


def test_a_stop_sequence_ends_the_answer_before_it(anthropic: Anthropic) -> None:
    message = anthropic.messages.create(**saying("one END two", stop_sequences=["nothing", "END"]))
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "END")
    assert message.content[0].to_dict()["text"] == "one "


def test_a_full_context_is_told_from_a_reached_limit(anthropic: Anthropic) -> None:
    context = anthropic.models.retrieve("echo").max_tokens
    assert context is not None
    text = "x" * (context - 100)
    assert anthropic.messages.create(**saying(text) | {"max_tokens": 3}).stop_reason == "max_tokens"
    full = anthropic.messages.create(**saying(text) | {"max_tokens": 2 * context})
    assert full.stop_reason == "model_context_window_exceeded"
    assert full.usage.input_tokens + (full.usage.cache_read_input_tokens or 0) + full.usage.output_tokens <= context
