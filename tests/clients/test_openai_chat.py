"""openai: chat completions, completions and embeddings, as programs written for OpenAI call them."""

import json
from collections.abc import Iterator

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from said import A_LESSON, SAID_LESSON, TWO_CALLS, WEATHER_PARAMETERS, Lesson, call, user

WEATHER = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": WEATHER_PARAMETERS, "strict": True},
}


@pytest.fixture
def client(box: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{box}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_a_chat(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="echo", messages=[user("Good morning!")])
    assert answer.choices[0].message.content == "Good morning!"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage and answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_streamed_chat(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="echo",
        messages=[{"role": "system", "content": "Be brief."}, user("größer 你好 🙂")],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == "größer 你好 🙂"
    assert chunks[-1].choices == [] and chunks[-1].usage and chunks[-1].usage.completion_tokens > 10
    assert len({chunk.id for chunk in chunks}) == 1


async def test_many_chats_at_once(box: str) -> None:
    async with AsyncOpenAI(base_url=f"{box}/v1", api_key="none", max_retries=0) as client:
        streams = [
            await client.chat.completions.create(model="echo", messages=[user(f"number {number}")], stream=True)
            for number in range(8)
        ]
        for number, stream in enumerate(streams):
            said = [chunk.choices[0].delta.content or "" async for chunk in stream]
            assert "".join(said) == f"number {number}"


def test_the_streaming_helper_tells_what_happens(client: OpenAI) -> None:
    with client.chat.completions.stream(model="echo", messages=[user("one two")]) as stream:
        events = list(stream)
        final = stream.get_final_completion()
    assert "".join(event.delta for event in events if event.type == "content.delta") == "one two"
    assert [event.content for event in events if event.type == "content.done"] == ["one two"]
    assert final.choices[0].message.content == "one two"


def test_an_answer_is_parsed_into_a_type(client: OpenAI) -> None:
    answer = client.chat.completions.parse(model="echo", messages=[user(SAID_LESSON)], response_format=Lesson)
    assert answer.choices[0].message.parsed == A_LESSON


def test_a_model_that_writes_noise_is_held_to_a_type(client: OpenAI) -> None:
    answer = client.chat.completions.parse(
        model="random", messages=[user("Solve it.")], response_format=Lesson, max_tokens=600, seed=1
    )
    assert answer.choices[0].finish_reason == "stop"
    assert isinstance(answer.choices[0].message.parsed, Lesson)


def test_a_streamed_answer_is_parsed_into_a_type(client: OpenAI) -> None:
    with client.chat.completions.stream(
        model="random", messages=[user("Solve it.")], response_format=Lesson, max_tokens=600, seed=2
    ) as stream:
        parsed = stream.get_final_completion().choices[0].message.parsed
    assert isinstance(parsed, Lesson)


def test_any_json(client: OpenAI) -> None:
    asked = [user("This is no JSON.")]
    answer = client.chat.completions.create(model="echo", messages=asked, response_format={"type": "json_object"})
    assert isinstance(json.loads(answer.choices[0].message.content or ""), dict)


def test_a_loop_of_tools(client: OpenAI) -> None:
    messages: list = [user(call("get_weather", city="Oslo", days=2))]
    first = client.chat.completions.create(model="echo", messages=messages, tools=[WEATHER])
    assert first.choices[0].finish_reason == "tool_calls"
    assert first.choices[0].message.content is None
    (asked,) = first.choices[0].message.tool_calls or []
    assert (asked.function.name, json.loads(asked.function.arguments)) == ("get_weather", {"city": "Oslo", "days": 2})
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": asked.id, "content": "snow"}]
    last = client.chat.completions.create(model="echo", messages=messages, tools=[WEATHER])
    assert last.choices[0].finish_reason == "stop"
    assert "snow" in (last.choices[0].message.content or "")


def test_several_tools_are_called_at_once_while_text_streams(client: OpenAI) -> None:
    with client.chat.completions.stream(model="echo", messages=[user(TWO_CALLS)], tools=[WEATHER]) as stream:
        events = list(stream)
        message = stream.get_final_completion().choices[0].message
    assert "<tool_call>" not in "".join(event.delta for event in events if event.type == "content.delta")
    assert (message.content or "").strip() == "Let me look."
    done = [event for event in events if event.type == "tool_calls.function.arguments.done"]
    assert [(event.index, json.loads(event.arguments)["city"]) for event in done] == [(0, "Oslo"), (1, "Bergen")]
    assert len({called.id for called in message.tool_calls or []}) == 2


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "get_weather"}}])
def test_a_tool_that_must_be_called_is_called_with_what_its_schema_says(client: OpenAI, choice: object) -> None:
    answer = client.chat.completions.create(
        model="random", messages=[user("Hello")], tools=[WEATHER], tool_choice=choice, max_tokens=600, seed=4
    )
    (asked,) = (answer.choices[0].message.tool_calls or [])[:1]
    arguments = json.loads(asked.function.arguments)
    assert asked.function.name == "get_weather"
    assert arguments["city"] in ("Bergen", "Oslo") and isinstance(arguments["days"], int)


def test_no_tool_is_called_when_none_may_be(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="echo", messages=[user("Hi")], tools=[WEATHER], tool_choice="none")
    assert answer.choices[0].message.tool_calls is None
    assert answer.choices[0].message.content == "Hi"


def test_a_tool_from_a_type_is_parsed(client: OpenAI) -> None:
    answer = client.chat.completions.parse(
        model="random",
        messages=[user("Hello")],
        tools=[openai.pydantic_function_tool(Lesson)],
        tool_choice="required",
        max_tokens=800,
        seed=5,
    )
    (asked,) = (answer.choices[0].message.tool_calls or [])[:1]
    assert isinstance(asked.function.parsed_arguments, Lesson)


def test_thoughts_are_told_apart_from_the_answer(client: OpenAI) -> None:
    said = "<think>two and two</think>four"
    whole = client.chat.completions.create(model="echo", messages=[user(said)]).choices[0].message
    assert (whole.content, whole.model_dump()["reasoning_content"]) == ("four", "two and two")
    stream = client.chat.completions.create(model="echo", messages=[user(said)], stream=True)
    deltas = [chunk.choices[0].delta.model_dump() for chunk in stream]
    assert "".join(delta.get("reasoning_content") or "" for delta in deltas) == "two and two"
    assert "".join(delta.get("content") or "" for delta in deltas) == "four"


def test_several_answers_with_what_was_likely(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="echo", messages=[user("ab")], n=2, logprobs=True, top_logprobs=3, temperature=0
    )
    assert [choice.index for choice in answer.choices] == [0, 1]
    for choice in answer.choices:
        tokens = choice.logprobs.content if choice.logprobs else None
        assert tokens and tokens[0].token == "a" and len(tokens[0].top_logprobs) == 3


def test_a_text_is_continued(client: OpenAI) -> None:
    stream = client.completions.create(model="echo", prompt="abcabc", max_tokens=6, temperature=0, stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == "abcabc"


def test_a_gap_in_a_text_is_filled(client: OpenAI) -> None:
    answer = client.completions.create(model="echo", prompt="def f(", suffix="): pass", max_tokens=5)
    assert answer.choices[0].text


def test_vectors_in_both_encodings(client: OpenAI) -> None:
    texts = ["the cat sat on the mat", "the dog runs fast"]
    packed = client.embeddings.create(model="embedder", input=texts)
    plain = client.embeddings.create(model="embedder", input=texts, encoding_format="float")
    assert [row.index for row in packed.data] == [0, 1]
    for one, other in zip(packed.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)


def test_models_are_listed_and_looked_up(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert {"guide", "echo", "embedder"} <= {name.removesuffix(":latest") for name in names}
    assert all(client.models.retrieve(name).id == name for name in names)


def test_errors_are_of_the_types_that_programs_catch(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="ecko"):
        client.chat.completions.create(model="ecko", messages=[user("Hi")])
    with pytest.raises(openai.BadRequestError, match="temperature"):
        client.chat.completions.create(model="echo", messages=[user("Hi")], temperature=-1)
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(model="guide", messages=[user("much " * 10_000)])
    assert error.value.code == "context_length_exceeded"


def test_an_address_with_its_end_twice_is_understood(box: str) -> None:
    with OpenAI(base_url=f"{box}/v1/v1", api_key="none", max_retries=0) as client:
        assert client.chat.completions.create(model="echo", messages=[user("Hi")]).choices[0].message.content == "Hi"


def test_a_client_written_for_our_own_fields(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="echo", messages=[user("aaab")], extra_body={"top_k": 1, "min_p": 0.1, "repeat_penalty": 1.0}
    )
    assert answer.choices[0].message.content == "aaab"
