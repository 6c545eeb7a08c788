"""The helpers of the `openai` library: what they read out of answers, streams and calls, sync and async."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import openai as library
import pytest
from openai import AsyncOpenAI, OpenAI, pydantic_function_tool
from pydantic import BaseModel

from appliance.core.events import RequestEvent, ToolCallDelta
from appliance.core.request import ChatPrompt, GenerateRequest, JsonSchema
from tests.api.conftest import Daemon
from tests.fakes import accepted, delta, finished

HI: list[Any] = [{"role": "user", "content": "Hi"}]


class City(BaseModel):
    """A place."""

    name: str
    people: int


def saying(*pieces: str) -> Any:
    def script(request: GenerateRequest) -> list[RequestEvent]:
        return [accepted(request), *(delta(request, piece) for piece in pieces), finished(request)]

    return script


def calling(request: GenerateRequest) -> list[RequestEvent]:
    """Thinks and makes two calls at once."""
    calls = [
        ToolCallDelta(0, "a", "City", '{"name": "Aa"'),
        ToolCallDelta(0, None, None, ', "people": 5}'),
        ToolCallDelta(1, "b", "City", '{"name": "Bb", "people": 6}'),
    ]
    return [
        delta(request, "", reasoning="Hm."),
        *(delta(request, "", tool_calls=(call,)) for call in calls),
        finished(request, reason="tool_calls"),
    ]


@asynccontextmanager
async def async_client(daemon: Daemon) -> AsyncIterator[AsyncOpenAI]:
    async with (
        httpx.AsyncClient(trust_env=False) as transport,
        AsyncOpenAI(base_url=f"{daemon.url}/v1", api_key="none", http_client=transport) as client,
    ):
        yield client


def test_an_answer_is_parsed_into_a_model(openai: OpenAI, daemon: Daemon) -> None:
    daemon.scheduler.script = saying('{"name": "Aa", ', '"people": 5}')
    answer = openai.chat.completions.parse(model="guide", messages=HI, response_format=City)
    assert answer.choices[0].message.parsed == City(name="Aa", people=5)
    constraint = daemon.scheduler.last.constraint
    assert isinstance(constraint, JsonSchema)
    assert isinstance(constraint.schema, dict)
    assert constraint.schema["required"] == ["name", "people"]
    assert constraint.schema["additionalProperties"] is False


def test_calls_are_parsed_into_models(openai: OpenAI, daemon: Daemon) -> None:
    daemon.scheduler.script = calling
    answer = openai.chat.completions.parse(model="guide", messages=HI, tools=[pydantic_function_tool(City)])
    calls = answer.choices[0].message.tool_calls
    assert calls is not None
    assert [call.function.parsed_arguments for call in calls] == [City(name="Aa", people=5), City(name="Bb", people=6)]
    assert isinstance(daemon.scheduler.last.prompt, ChatPrompt)
    assert daemon.scheduler.last.prompt.tools[0].is_strict


def test_a_streamed_answer_is_parsed_as_it_grows(openai: OpenAI, daemon: Daemon) -> None:
    daemon.scheduler.script = saying('{"name": "Aa", ', '"people": 5}')
    with openai.chat.completions.stream(model="guide", messages=HI, response_format=City) as stream:
        events = list(stream)
    assert [event.parsed for event in events if event.type == "content.delta" and event.delta] == [
        {"name": "Aa"},
        {"name": "Aa", "people": 5},
    ]
    assert stream.get_final_completion().choices[0].message.parsed == City(name="Aa", people=5)


def test_streamed_calls_are_parsed_as_they_grow(openai: OpenAI, daemon: Daemon) -> None:
    daemon.scheduler.script = calling
    tools = [pydantic_function_tool(City)]
    with openai.chat.completions.stream(model="guide", messages=HI, tools=tools) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
    assert [(event.index, event.name) for event in done] == [(0, "City"), (1, "City")]
    assert [event.parsed_arguments for event in done] == [City(name="Aa", people=5), City(name="Bb", people=6)]
    choice = stream.get_final_completion().choices[0]
    assert choice.finish_reason == "tool_calls"
    assert (choice.message.to_dict()["reasoning_content"], choice.message.content) == ("Hm.", "")
    assert [call.id for call in choice.message.tool_calls or ()] == ["a", "b"]


def test_an_answer_that_was_cut_off_is_not_parsed(openai: OpenAI, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda r: [delta(r, '{"name'), finished(r, reason="length")]
    with pytest.raises(library.LengthFinishReasonError):
        openai.chat.completions.parse(model="guide", messages=HI, response_format=City)


def test_the_async_library_parses_and_streams(daemon: Daemon) -> None:
    daemon.scheduler.script = calling

    async def ask() -> tuple[Any, Any]:
        tools = [pydantic_function_tool(City)]
        async with async_client(daemon) as client:
            answer = await client.chat.completions.parse(model="guide", messages=HI, tools=tools)
            async with client.chat.completions.stream(model="guide", messages=HI, tools=tools) as stream:
                return answer, await stream.get_final_completion()

    for answer in asyncio.run(ask()):
        calls = answer.choices[0].message.tool_calls
        assert [call.function.parsed_arguments.people for call in calls] == [5, 6]


def test_a_turn_with_calls_is_sent_back_as_the_library_holds_it(openai: OpenAI, daemon: Daemon) -> None:
    daemon.scheduler.script = calling
    message = openai.chat.completions.create(model="guide", messages=HI).choices[0].message
    assert message.tool_calls is not None
    answers: list[Any] = [{"role": "tool", "tool_call_id": call.id, "content": "ok"} for call in message.tool_calls]
    openai.chat.completions.create(model="guide", messages=[*HI, message.to_dict(), *answers])
    prompt = daemon.scheduler.last.prompt
    assert isinstance(prompt, ChatPrompt)
    turn, *rest = prompt.messages[1:]
    assert (turn.reasoning, [call.id for call in turn.tool_calls]) == ("Hm.", ["a", "b"])
    assert [(each.content, each.tool_call_id) for each in rest] == [("ok", "a"), ("ok", "b")]


def test_the_library_lists_the_models_and_knows_one_that_is_not_there(openai: OpenAI, daemon: Daemon) -> None:
    assert [model.id for model in openai.models.list()] == [model.name for model in daemon.parts.care.models()]
    assert openai.models.retrieve("guide").to_dict()["object"] == "model"
    with pytest.raises(library.NotFoundError) as caught:
        openai.models.retrieve("nobody")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
