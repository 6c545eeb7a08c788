"""LiteLLM: one call for every provider, here by each of the dialects that it can speak to a box like this."""

import json

import litellm
import pytest
from said import A_LESSON, SAID_LESSON, WEATHER_PARAMETERS, Lesson, call, user

WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER_PARAMETERS}}


@pytest.fixture(params=["openai", "anthropic", "ollama", "ollama_chat"])
def provider(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def where(box: str, provider: str, model: str = "echo") -> dict[str, str]:
    base = f"{box}/v1" if provider == "openai" else box
    return {"model": f"{provider}/{model}", "api_base": base, "api_key": "none"}


def test_a_completion(box: str, provider: str) -> None:
    answer = litellm.completion(**where(box, provider), messages=[user("Good morning!")])
    assert answer.choices[0].message.content.strip().endswith("Good morning!")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens > 0


def test_a_streamed_completion(box: str, provider: str) -> None:
    stream = litellm.completion(**where(box, provider), messages=[user("one two")], stream=True)
    said = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert said.strip().endswith("one two")


async def test_an_asynchronous_completion(box: str, provider: str) -> None:
    stream = await litellm.acompletion(**where(box, provider), messages=[user("one two")], stream=True)
    said = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert said.strip().endswith("one two")


@pytest.mark.parametrize("provider", ["openai", "anthropic", "ollama_chat"])
def test_a_tool(box: str, provider: str) -> None:
    messages: list = [user(call("get_weather", city="Oslo", days=2))]
    first = litellm.completion(**where(box, provider), messages=messages, tools=[WEATHER])
    assert first.choices[0].finish_reason == "tool_calls"
    (asked,) = first.choices[0].message.tool_calls
    assert (asked.function.name, json.loads(asked.function.arguments)) == ("get_weather", {"city": "Oslo", "days": 2})
    messages += [
        first.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": asked.id, "name": "get_weather", "content": "snow"},
    ]
    last = litellm.completion(**where(box, provider), messages=messages, tools=[WEATHER])
    assert "snow" in last.choices[0].message.content


@pytest.mark.parametrize("provider", ["openai", "anthropic", "ollama_chat"])
def test_a_streamed_tool(box: str, provider: str) -> None:
    said = call("get_weather", city="Oslo", days=2)
    stream = litellm.completion(**where(box, provider), messages=[user(said)], tools=[WEATHER], stream=True)
    whole = litellm.stream_chunk_builder(list(stream))
    (asked,) = whole.choices[0].message.tool_calls
    assert json.loads(asked.function.arguments) == {"city": "Oslo", "days": 2}


@pytest.mark.parametrize("provider", ["openai", "anthropic", "ollama_chat"])
def test_a_schema(box: str, provider: str) -> None:
    # Of Anthropic's API it makes a tool of its own that must be called.
    as_a_call = call("json_tool_call", **A_LESSON.model_dump())
    said = as_a_call if provider == "anthropic" else SAID_LESSON
    answer = litellm.completion(**where(box, provider), messages=[user(said)], response_format=Lesson)
    assert Lesson.model_validate_json(answer.choices[0].message.content) == A_LESSON


def test_responses(box: str) -> None:
    answer = litellm.responses(**where(box, "openai"), input="Good morning!")
    assert answer.output[-1].content[0].text == "Good morning!"


@pytest.mark.parametrize("provider", ["openai", "ollama"])
def test_vectors(box: str, provider: str) -> None:
    answer = litellm.embedding(**where(box, provider, "embedder"), input=["the cat sat", "the dog runs"])
    assert len(answer.data) == 2 and len(answer.data[0]["embedding"]) == 64


def test_errors_are_of_the_types_that_programs_catch(box: str) -> None:
    with pytest.raises(litellm.NotFoundError):
        litellm.completion(**where(box, "openai", "ecko"), messages=[user("Hi")])
    with pytest.raises(litellm.ContextWindowExceededError):
        litellm.completion(**where(box, "openai", "guide"), messages=[user("much " * 10_000)])
