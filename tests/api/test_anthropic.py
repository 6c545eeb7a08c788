"""`POST /v1/messages` as the `anthropic` library sees it."""

import asyncio
from typing import Any

import anthropic as library
import httpx
import pytest
from anthropic import Anthropic, beta_tool
from anthropic.types import Message as MessageShape
from anthropic.types import RawMessageDeltaEvent, RawMessageStartEvent, TextBlock, ThinkingBlock
from pydantic import BaseModel

from appliance.api.sse import StreamTiming
from appliance.core.events import Finished
from appliance.core.request import ChatPrompt, JsonSchema, Message, Reasoning, ToolCall
from appliance.scheduler.queue_place import QueuePlace
from tests.api.claude import (
    BODY,
    HI,
    WEATHER,
    async_client,
    called,
    client,
    stopped_at,
    thinks_speaks_and_calls,
    thought,
)
from tests.api.conftest import LOCAL_SECRET, Daemon
from tests.fakes import accepted, delta, finished

THINKING: Any = {"type": "adaptive"}
SAID = ["thinking", "text", "tool_use", "tool_use"]


def told(block: Any) -> dict[str, Any]:
    """Return what was sent; the stream helper adds what it parsed."""
    return {name: value for name, value in block.to_dict().items() if name != "parsed_output"}


def prompt_of(daemon: Daemon) -> ChatPrompt:
    prompt = daemon.scheduler.last.prompt
    assert isinstance(prompt, ChatPrompt)
    return prompt


def test_a_message_has_every_field_that_anthropic_publishes(http: httpx.Client, anthropic: Anthropic) -> None:
    body = http.post("/v1/messages", json=BODY).json()
    MessageShape.model_validate(body, strict=True)
    assert set(MessageShape.model_fields) <= set(body)
    assert set(MessageShape.model_fields["usage"].annotation.model_fields) <= set(body["usage"])
    message = anthropic.messages.create(**BODY)
    assert isinstance(message.content[0], TextBlock)
    assert message.content[0].text == "Hello wörld"
    assert (message.id[:4], message.model, message.stop_reason) == ("msg_", "guide", "end_turn")
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (4, 3, 0)
    assert usage.output_tokens == 2


def test_a_message_without_a_model_comes_from_the_default_one(http: httpx.Client) -> None:
    assert http.post("/v1/messages", json={"max_tokens": 9, "messages": HI}).json()["model"] == "guide"


def test_thoughts_words_and_calls_are_blocks(anthropic: Anthropic, daemon: Daemon) -> None:
    daemon.scheduler.script = thinks_speaks_and_calls
    message = anthropic.messages.create(**BODY, thinking=THINKING, tools=[WEATHER])
    thinking, text, *calls = message.content
    assert isinstance(thinking, ThinkingBlock)
    assert (thinking.thinking, bool(thinking.signature)) == ("They ask about the weather.", True)
    assert (text.type, message.stop_reason) == ("text", "tool_use")
    assert [(call.id, call.name, call.input) for call in calls if call.type == "tool_use"] == [
        ("call_a", "weather", {"city": "Paris"}),
        ("call_b", "weather", {"city": "Rome"}),
    ]


def test_the_stream_helper_gathers_what_the_whole_message_says(anthropic: Anthropic, daemon: Daemon) -> None:
    daemon.scheduler.script = thinks_speaks_and_calls
    whole = anthropic.messages.create(**BODY, thinking=THINKING)
    with anthropic.messages.stream(**BODY, thinking=THINKING) as stream:
        kinds = [event.type for event in stream]
        streamed = stream.get_final_message()
    assert [told(block) for block in streamed.content] == [told(block) for block in whole.content]
    assert (streamed.stop_reason, streamed.usage.output_tokens) == (whole.stop_reason, whole.usage.output_tokens)
    assert {"thinking", "signature", "text", "input_json"} < set(kinds)


def test_raw_events_have_every_field_that_anthropic_publishes(anthropic: Anthropic) -> None:
    with anthropic.messages.create(**BODY, stream=True) as events:
        start, *_, last, _ = list(events)
    assert isinstance(start, RawMessageStartEvent)
    assert isinstance(last, RawMessageDeltaEvent)
    assert set(RawMessageDeltaEvent.model_fields["usage"].annotation.model_fields) <= last.usage.model_fields_set
    assert set(MessageShape.model_fields) <= start.message.model_fields_set
    assert (start.message.usage.input_tokens, last.usage.output_tokens) == (4, 2)


def test_a_stream_is_marked_as_one(http: httpx.Client) -> None:
    response = http.post("/v1/messages", json=BODY | {"stream": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["request-id"] == response.headers["x-request-id"]
    assert response.text.startswith("event: message_start\n")


def test_the_async_library_answers_and_streams(daemon: Daemon) -> None:
    async def ask() -> tuple[Any, str]:
        async with async_client(daemon.url) as anthropic:
            message = await anthropic.messages.create(**BODY)
            async with anthropic.messages.stream(**BODY) as stream:
                return message.content[0], "".join([text async for text in stream.text_stream])

    block, streamed = asyncio.run(ask())
    assert block.text == streamed == "Hello wörld"


@pytest.mark.parametrize("stream", [False, True])
def test_thoughts_come_only_when_they_were_asked_for(anthropic: Anthropic, daemon: Daemon, stream: bool) -> None:
    daemon.scheduler.script = thinks_speaks_and_calls

    def kinds(**fields: Any) -> list[str]:
        if not stream:
            return [block.type for block in anthropic.messages.create(**BODY, **fields).content]
        with anthropic.messages.stream(**BODY, **fields) as events:
            return [block.type for block in events.get_final_message().content]

    assert kinds(thinking=THINKING) == kinds(thinking={"type": "enabled", "budget_tokens": 50}) == SAID
    assert prompt_of(daemon).reasoning == Reasoning(effort="medium", max_tokens=50)
    assert kinds() == kinds(thinking={"type": "disabled"}) == SAID[1:]
    assert prompt_of(daemon).reasoning == Reasoning(effort="none")


def test_a_conversation_goes_on_with_what_the_library_gathered(anthropic: Anthropic, daemon: Daemon) -> None:
    daemon.scheduler.script = thinks_speaks_and_calls
    options: dict[str, Any] = {"thinking": {"type": "adaptive", "display": "omitted"}, "tools": [WEATHER]}
    first = anthropic.messages.create(**BODY, **options)
    assert isinstance(first.content[0], ThinkingBlock)
    assert first.content[0].thinking == ""
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": "rain"}
        for block in first.content
        if block.type == "tool_use"
    ]
    turns: list[Any] = [*HI, first.to_param(), {"role": "user", "content": results}]
    anthropic.messages.create(**BODY | {"messages": turns}, **options)
    assert prompt_of(daemon).messages[1:] == (
        Message(
            role="assistant",
            content="Let me look.",
            reasoning="They ask about the weather.",
            tool_calls=tuple(
                ToolCall(id=id, name="weather", arguments=f'{{"city":"{city}"}}')
                for id, city in (("call_a", "Paris"), ("call_b", "Rome"))
            ),
        ),
        Message(role="tool", content="rain", name="weather", tool_call_id="call_a"),
        Message(role="tool", content="rain", name="weather", tool_call_id="call_b"),
    )


def test_the_librarys_tool_runner_calls_a_function_and_tells_the_model(anthropic: Anthropic, daemon: Daemon) -> None:
    asked: list[str] = []

    @beta_tool
    def weather(city: str) -> str:
        """Tell the weather.

        Args:
            city: Where.
        """
        asked.append(city)
        return f"rain in {city}"

    def script(request: Any) -> list[Any]:
        if request.prompt.messages[-1].role == "tool":
            return [accepted(request), delta(request, "It rains."), finished(request)]
        return thinks_speaks_and_calls(request)

    daemon.scheduler.script = script
    last = anthropic.beta.messages.tool_runner(**BODY, tools=[weather]).until_done()
    assert asked == ["Paris", "Rome"]
    assert last.content[0].type == "text"
    assert [message.content for message in prompt_of(daemon).messages[-2:]] == ["rain in Paris", "rain in Rome"]


class City(BaseModel):
    name: str
    rivers: list[str]


def test_parse_asks_for_a_schema_and_reads_the_answer(anthropic: Anthropic, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda r: [delta(r, '{"name": "Köln", "rivers": ["Rhein"]}'), finished(r)]
    message = anthropic.messages.parse(**BODY, output_format=City)
    assert message.parsed_output == City(name="Köln", rivers=["Rhein"])
    constraint = daemon.scheduler.last.constraint
    assert isinstance(constraint, JsonSchema)
    assert isinstance(constraint.schema, dict)
    assert set(constraint.schema["properties"]) == {"name", "rivers"}


def test_a_stop_sequence_is_reported(anthropic: Anthropic, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda r: [delta(r, "one"), stopped_at(r, "END")]
    message = anthropic.messages.create(**BODY, stop_sequences=["END"])
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "END")
    assert daemon.scheduler.last.stop.strings == ("END",)


def test_a_call_that_was_cut_off_has_no_input(anthropic: Anthropic, daemon: Daemon) -> None:
    def cut(request: Any) -> list[Any]:
        end: Finished = finished(request, reason="length", completion_tokens=100)
        return [called(request, 0, "call_a", "weather", '{"city": "Par'), end]

    daemon.scheduler.script = cut
    message = anthropic.messages.create(**BODY, tools=[WEATHER])
    assert message.stop_reason == "max_tokens"
    assert message.content[0].type == "tool_use"
    assert message.content[0].input == {}


def test_a_prompt_can_be_read_ahead_of_its_question(anthropic: Anthropic, daemon: Daemon) -> None:
    message = anthropic.messages.create(**BODY | {"max_tokens": 0})
    assert (message.content, message.stop_reason, message.usage.output_tokens) == ([], "max_tokens", 0)
    assert daemon.scheduler.last.stop.max_tokens == 1


def test_a_user_is_one_caller_among_those_of_a_key(anthropic: Anthropic, daemon: Daemon) -> None:
    anthropic.messages.create(**BODY, metadata={"user_id": "user_1"})
    assert daemon.scheduler.requests[-1][1].id == "local/user_1"


@pytest.mark.parametrize("name", ["api_key", "auth_token"])
def test_both_ways_to_send_a_key_work(daemon: Daemon, name: str) -> None:
    daemon.do(lambda: daemon.parts.keys.create("ci", "use"))
    with client(daemon.url, **{"api_key": None, name: LOCAL_SECRET}) as anthropic:
        assert anthropic.messages.create(**BODY).stop_reason == "end_turn"
    with (
        client(daemon.url, **{"api_key": None, name: "sk-wrong"}) as anthropic,
        pytest.raises(library.AuthenticationError),
    ):
        anthropic.messages.create(**BODY)


def test_the_beta_of_the_library_is_the_same_api(anthropic: Anthropic) -> None:
    message = anthropic.beta.messages.create(
        **BODY,
        betas=["context-management-2025-06-27"],
        context_management={"edits": [{"type": "clear_tool_uses_20250919"}]},
    )
    assert message.content[0].type == "text"


def test_its_models_are_the_installed_ones(anthropic: Anthropic) -> None:
    assert [model.id for model in anthropic.models.list(limit=1)] == ["guide"]
    model = anthropic.models.retrieve("guide")
    assert (model.type, model.display_name, model.max_input_tokens) == ("model", "guide", 2048)


def test_other_clients_see_models_as_openai_lists_them(http: httpx.Client) -> None:
    assert http.get("/v1/models").json()["object"] == "list"
    assert http.get("/v1/models/guide").json()["object"] == "model"


class TestALongPrefill:
    @pytest.fixture
    def timing(self) -> StreamTiming:
        return StreamTiming(headers_after_s=0.01, comment_every_s=0.01)

    def test_the_message_starts_and_is_pinged_until_its_first_word(self, http: httpx.Client, daemon: Daemon) -> None:
        daemon.scheduler.script = lambda r: [accepted(r)]
        with http.stream("POST", "/v1/messages", json=BODY | {"stream": True}) as response:
            lines = (line for line in response.iter_lines() if line.startswith("event"))
            assert [next(lines) for _ in range(4)] == ["event: message_start", *["event: ping"] * 3]
            request = daemon.scheduler.last
            daemon.do(lambda: daemon.scheduler.tell(request, delta(request, "Hello"), finished(request)))
            assert "event: content_block_start" in lines
            assert list(lines)[-1] == "event: message_stop"

    def test_before_the_prompt_was_accepted_comments_tell_of_the_queue(
        self, http: httpx.Client, anthropic: Anthropic, daemon: Daemon
    ) -> None:
        daemon.scheduler.script = lambda r: []
        daemon.scheduler.place = QueuePlace(position=3, estimated_wait_s=4.25)
        with http.stream("POST", "/v1/messages", json=BODY | {"stream": True}) as response:
            lines = (line for line in response.iter_lines() if line)
            assert next(lines) == ": queue position 3, about 4 s"
            request = daemon.scheduler.last
            daemon.do(lambda: daemon.scheduler.tell(request, accepted(request)))
            assert next(line for line in lines if line.startswith("event")) == "event: message_start"
            daemon.do(lambda: daemon.scheduler.tell(request, delta(request, "Hello"), finished(request)))
            assert "event: message_stop" in lines

    def test_the_library_reads_past_pings_and_comments(self, anthropic: Anthropic, daemon: Daemon) -> None:
        daemon.scheduler.script = lambda r: []
        with anthropic.messages.stream(**BODY) as stream:
            request = daemon.scheduler.last
            daemon.do(lambda: daemon.scheduler.tell(request, accepted(request), thought(request, "")))
            daemon.do(lambda: daemon.scheduler.tell(request, delta(request, "Hello"), finished(request)))
            assert stream.get_final_text() == "Hello"
