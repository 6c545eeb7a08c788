"""openai: the Responses API, as agents written for OpenAI call it."""

import json
import time
from collections.abc import Iterator

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from said import A_LESSON, SAID_LESSON, WEATHER_PARAMETERS, Lesson, call

WEATHER = {"type": "function", "name": "get_weather", "parameters": WEATHER_PARAMETERS, "strict": True}


@pytest.fixture
def client(box: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{box}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_an_answer(client: OpenAI) -> None:
    answer = client.responses.create(model="echo", instructions="Be brief.", input="Good morning!")
    assert (answer.status, answer.output_text) == ("completed", "Good morning!")
    assert answer.usage and answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


def test_a_stream_tells_each_part_in_its_order(client: OpenAI) -> None:
    events = list(client.responses.create(model="echo", input="one two", stream=True))
    kinds = [event.type for event in events if event.type != "response.output_text.delta"]
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "one two"
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_the_streaming_helper_gathers_the_answer(client: OpenAI) -> None:
    with client.responses.stream(model="echo", input="one two") as stream:
        said = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        assert stream.get_final_response().output_text == said == "one two"


async def test_an_answer_streams_to_an_asynchronous_program(box: str) -> None:
    async with (
        AsyncOpenAI(base_url=f"{box}/v1", api_key="none", max_retries=0) as client,
        client.responses.stream(model="echo", input="one two") as stream,
    ):
        kinds = [event.type async for event in stream]
        assert kinds[-1] == "response.completed"
        assert (await stream.get_final_response()).output_text == "one two"


def test_a_conversation_goes_on_from_an_earlier_answer(client: OpenAI) -> None:
    first = client.responses.create(model="echo", input="My name is Ada.")
    second = client.responses.create(model="echo", input="Who am I?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert second.output_text == "Who am I?"
    assert second.usage and first.usage and second.usage.input_tokens > 2 * first.usage.input_tokens - 10


def test_a_conversation_keeps_what_was_said(client: OpenAI) -> None:
    conversation = client.conversations.create(metadata={"topic": "names"})
    client.responses.create(model="echo", input="My name is Ada.", conversation=conversation.id)
    client.responses.create(model="echo", input="Who am I?", conversation=conversation.id)
    items = list(client.conversations.items.list(conversation.id, order="asc"))
    assert [item.content[0].text for item in items if item.type == "message"] == ["My name is Ada."] * 2 + [
        "Who am I?"
    ] * 2
    assert client.conversations.delete(conversation.id).deleted


def test_a_stored_answer_is_found_listed_and_deleted(client: OpenAI) -> None:
    made = client.responses.create(model="echo", input="Keep this.", metadata={"ticket": "7"})
    found = client.responses.retrieve(made.id)
    assert (found.output_text, found.metadata) == ("Keep this.", {"ticket": "7"})
    (item,) = client.responses.input_items.list(made.id)
    assert item.content[0].text == "Keep this."
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_an_answer_that_is_not_stored_is_not_found(client: OpenAI) -> None:
    made = client.responses.create(model="echo", input="Forget this.", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_a_loop_of_tools(client: OpenAI) -> None:
    first = client.responses.create(model="echo", input=call("get_weather", city="Oslo", days=2), tools=[WEATHER])
    (asked,) = [item for item in first.output if item.type == "function_call"]
    assert (asked.name, json.loads(asked.arguments)) == ("get_weather", {"city": "Oslo", "days": 2})
    told = {"type": "function_call_output", "call_id": asked.call_id, "output": "snow"}
    last = client.responses.create(model="echo", input=[told], previous_response_id=first.id, tools=[WEATHER])
    assert "snow" in last.output_text


def test_a_tool_whose_input_is_plain_text(client: OpenAI) -> None:
    made = client.responses.create(
        model="random",
        input="Hello",
        tools=[
            {
                "type": "custom",
                "name": "number",
                "format": {"type": "grammar", "syntax": "regex", "definition": "[0-9]{3}"},
            }
        ],
        tool_choice={"type": "custom", "name": "number"},
        max_output_tokens=200,
    )
    (asked,) = [item for item in made.output if item.type == "custom_tool_call"]
    assert asked.name == "number" and len(asked.input) == 3 and asked.input.isdigit()


def test_tokens_are_counted_as_they_are_charged(client: OpenAI) -> None:
    asked = {"model": "echo", "instructions": "Be brief.", "input": "How many?", "tools": [WEATHER]}
    made = client.responses.create(**asked)
    assert made.usage and client.responses.input_tokens.count(**asked).input_tokens == made.usage.input_tokens


def test_the_arguments_of_a_call_are_streamed(client: OpenAI) -> None:
    stream = client.responses.create(
        model="random", input="Hello", tools=[WEATHER], tool_choice="required", max_output_tokens=600, stream=True
    )
    events = list(stream)
    (done, *_) = [event for event in events if event.type == "response.function_call_arguments.done"]
    deltas = [
        event.delta
        for event in events
        if event.type == "response.function_call_arguments.delta" and event.item_id == done.item_id
    ]
    assert "".join(deltas) == done.arguments
    assert json.loads(done.arguments)["city"] in ("Bergen", "Oslo")


def test_an_answer_is_parsed_into_a_type(client: OpenAI) -> None:
    assert client.responses.parse(model="echo", input=SAID_LESSON, text_format=Lesson).output_parsed == A_LESSON


def test_thoughts_are_an_item_of_their_own(client: OpenAI) -> None:
    answer = client.responses.create(
        model="echo", input="<think>two and two</think>four", reasoning={"effort": "medium", "summary": "auto"}
    )
    assert [item.type for item in answer.output] == ["reasoning", "message"]
    assert answer.output_text == "four"
    assert "two and two" in answer.output[0].model_dump_json()


def test_an_answer_that_is_cut_off_says_so(client: OpenAI) -> None:
    answer = client.responses.create(model="echo", input="one two three four five six", max_output_tokens=16)
    assert answer.status == "incomplete"
    assert answer.incomplete_details and answer.incomplete_details.reason == "max_output_tokens"


def test_work_in_the_background_is_asked_for_until_it_is_done(client: OpenAI) -> None:
    answer = client.responses.create(model="echo", input="No hurry.", background=True)
    assert answer.status in ("queued", "in_progress", "completed")
    ends_s = time.monotonic() + 30
    while answer.status in ("queued", "in_progress"):
        assert time.monotonic() < ends_s
        time.sleep(0.02)  # a program that polls, as the library's guide writes it
        answer = client.responses.retrieve(answer.id)
    assert (answer.status, answer.output_text) == ("completed", "No hurry.")


def test_a_stream_that_was_cut_goes_on_where_it_was(client: OpenAI) -> None:
    stream = client.responses.create(model="echo", input="one two", background=True, stream=True)
    first = [next(stream), next(stream)]
    made = first[0].response.id
    rest = list(client.responses.retrieve(made, stream=True, starting_after=first[-1].sequence_number))
    assert rest[0].sequence_number == first[-1].sequence_number + 1
    assert rest[-1].type == "response.completed" and rest[-1].response.output_text == "one two"


def test_work_in_the_background_is_cancelled(client: OpenAI) -> None:
    answer = client.responses.create(
        model="random", input="Talk.", background=True, max_output_tokens=20_000, extra_body={"ignore_eos": True}
    )
    assert client.responses.cancel(answer.id).status == "cancelled"
    assert client.responses.retrieve(answer.id).status == "cancelled"


def test_errors_are_of_the_types_that_programs_catch(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="ecko"):
        client.responses.create(model="ecko", input="Hi")
    with pytest.raises(openai.BadRequestError) as error:
        client.responses.create(model="echo", input="Hi", previous_response_id="resp_none")
    assert error.value.code == "previous_response_not_found"
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model="echo", input="Hi", temperature=-1)
