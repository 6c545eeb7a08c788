"""anthropic: the Messages API, as programs written for Claude call it."""

import json
from collections.abc import Iterator

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic, beta_tool
from said import A_LESSON, SAID_LESSON, TWO_CALLS, WEATHER_PARAMETERS, Lesson, call, user

WEATHER = {"name": "get_weather", "description": "Tell the weather.", "input_schema": WEATHER_PARAMETERS}


@pytest.fixture
def client(box: str) -> Iterator[Anthropic]:
    with Anthropic(base_url=box, api_key="none", max_retries=0) as client:
        yield client


def test_a_message(client: Anthropic) -> None:
    message = client.messages.create(model="echo", max_tokens=100, system="Be brief.", messages=[user("Good morning!")])
    (block,) = message.content
    assert (block.type, block.text) == ("text", "Good morning!")
    assert (message.role, message.stop_reason) == ("assistant", "end_turn")
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0


def test_a_stream_of_text(client: Anthropic) -> None:
    with client.messages.stream(model="echo", max_tokens=100, messages=[user("größer 你好 🙂")]) as stream:
        assert "".join(stream.text_stream) == "größer 你好 🙂"
        message = stream.get_final_message()
    assert message.stop_reason == "end_turn"
    assert message.usage.output_tokens > 10


async def test_a_stream_for_an_asynchronous_program(box: str) -> None:
    async with (
        AsyncAnthropic(base_url=box, api_key="none", max_retries=0) as client,
        client.messages.stream(model="echo", max_tokens=100, messages=[user("one two")]) as stream,
    ):
        assert "".join([text async for text in stream.text_stream]) == "one two"


def test_the_events_of_a_stream_come_in_their_order(client: Anthropic) -> None:
    stream = client.messages.create(model="echo", max_tokens=100, messages=[user("one two")], stream=True)
    kinds = [event.type for event in stream if event.type not in ("ping", "content_block_delta")]
    assert kinds == ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"]


def test_a_loop_of_tools(client: Anthropic) -> None:
    messages: list = [user(call("get_weather", city="Oslo", days=2))]
    first = client.messages.create(model="echo", max_tokens=200, messages=messages, tools=[WEATHER])
    assert first.stop_reason == "tool_use"
    (asked,) = [block for block in first.content if block.type == "tool_use"]
    assert (asked.name, asked.input) == ("get_weather", {"city": "Oslo", "days": 2})
    result = {"type": "tool_result", "tool_use_id": asked.id, "content": [{"type": "text", "text": "snow"}]}
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    last = client.messages.create(model="echo", max_tokens=200, messages=messages, tools=[WEATHER])
    assert last.stop_reason == "end_turn"
    assert "snow" in last.content[0].text


def test_a_loop_of_tools_that_the_library_runs(client: Anthropic) -> None:
    asked: list[tuple[str, int]] = []

    @beta_tool
    def get_weather(city: str, days: int) -> str:
        """Tell the weather."""
        asked.append((city, days))
        return "snow"

    said = call("get_weather", city="Oslo", days=2)
    runner = client.beta.messages.tool_runner(model="echo", max_tokens=200, tools=[get_weather], messages=[user(said)])
    assert "snow" in runner.until_done().content[0].text
    assert asked == [("Oslo", 2)]


def test_the_input_of_a_tool_is_streamed_after_the_text(client: Anthropic) -> None:
    with client.messages.stream(model="echo", max_tokens=300, messages=[user(TWO_CALLS)], tools=[WEATHER]) as stream:
        pieces = [event.partial_json for event in stream if event.type == "input_json"]
        message = stream.get_final_message()
    assert [block.type for block in message.content] == ["text", "tool_use", "tool_use"]
    assert message.content[0].text.strip() == "Let me look."
    assert [block.input["city"] for block in message.content[1:]] == ["Oslo", "Bergen"]
    assert "Oslo" in "".join(pieces)


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "get_weather"}])
def test_a_tool_that_must_be_used_is_used_with_what_its_schema_says(client: Anthropic, choice: dict) -> None:
    message = client.messages.create(
        model="random", max_tokens=600, messages=[user("Hello")], tools=[WEATHER], tool_choice=choice
    )
    asked = next(block for block in message.content if block.type == "tool_use")
    assert asked.input["city"] in ("Bergen", "Oslo") and isinstance(asked.input["days"], int)


def test_thoughts_are_blocks_before_the_answer(client: Anthropic) -> None:
    said = "<think>two and two</think>four"
    thinking = {"type": "enabled", "budget_tokens": 1024}
    message = client.messages.create(model="echo", max_tokens=2000, messages=[user(said)], thinking=thinking)
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert (message.content[0].thinking, message.content[1].text) == ("two and two", "four")
    with client.messages.stream(model="echo", max_tokens=2000, messages=[user(said)], thinking=thinking) as stream:
        kinds = [event.type for event in stream]
        assert stream.get_final_message().content[0].thinking == "two and two"
    assert kinds.index("thinking") < kinds.index("text")


def test_thoughts_may_be_sent_back(client: Anthropic) -> None:
    thinking = {"type": "enabled", "budget_tokens": 1024}
    messages: list = [user("<think>two and two</think>four")]
    first = client.messages.create(model="echo", max_tokens=2000, messages=messages, thinking=thinking)
    messages += [{"role": "assistant", "content": first.content}, user("Sure?")]
    last = client.messages.create(model="echo", max_tokens=2000, messages=messages, thinking=thinking)
    assert last.content[-1].text == "Sure?"


def test_an_answer_is_parsed_into_a_type(client: Anthropic) -> None:
    message = client.messages.parse(model="echo", max_tokens=300, messages=[user(SAID_LESSON)], output_format=Lesson)
    assert message.parsed_output == A_LESSON


def test_a_stop_sequence_is_reported(client: Anthropic) -> None:
    message = client.messages.create(
        model="echo", max_tokens=100, messages=[user("one STOP two")], stop_sequences=["STOP"]
    )
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "STOP")
    assert message.content[0].text == "one "


def test_an_answer_that_is_cut_off_says_so(client: Anthropic) -> None:
    message = client.messages.create(model="echo", max_tokens=3, messages=[user("one two three")])
    assert message.stop_reason == "max_tokens"


def test_tokens_are_counted_as_they_are_charged(client: Anthropic) -> None:
    asked = {
        "model": "echo",
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [user("How many?")],
        "tools": [WEATHER],
    }
    counted = client.messages.count_tokens(**asked).input_tokens
    usage = client.messages.create(**asked, max_tokens=20).usage
    charged = usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    assert counted == charged


def test_an_answer_is_begun_by_the_program(client: Anthropic) -> None:
    message = client.messages.create(
        model="echo", max_tokens=20, messages=[user("one two"), {"role": "assistant", "content": "one"}]
    )
    assert message.content[0].text == " two"


def test_models_are_listed(client: Anthropic) -> None:
    names = {model.id.removesuffix(":latest") for model in client.models.list()}
    assert {"guide", "echo"} <= names


def test_errors_are_of_the_types_that_programs_catch(client: Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as error:
        client.messages.create(model="ecko", max_tokens=5, messages=[user("Hi")])
    body = json.loads(error.value.response.content)
    assert (body["type"], body["error"]["type"]) == ("error", "not_found_error")
    with pytest.raises(anthropic.BadRequestError) as refused:
        client.messages.create(model="echo", max_tokens=5, messages=[user("Hi")], extra_body={"temperature": -1})
    assert refused.value.response.json()["error"]["type"] == "invalid_request_error"
