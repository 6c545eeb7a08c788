"""The stream of a response: which events come, in which order, and what each of them holds."""

import asyncio
import json
from typing import Any

import httpx
import openai as library
import pytest
from openai import OpenAI

from appliance.api.sse import StreamTiming
from appliance.core.events import TokenLogprob, TopLogprob
from appliance.errors import BackendError, ContextLengthExceeded, QueueFull
from appliance.service.responses import run
from tests.api.conftest import Daemon
from tests.api.responses import PATH, SHELL, WEATHER, events_of, short, stream_of, thinks_speaks_and_calls
from tests.fakes import accepted, delta, finished


def test_the_order_of_events_is_as_published(http: httpx.Client) -> None:
    assert short(stream_of(http)) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]


def test_the_order_of_events_with_thinking_words_and_calls(http: httpx.Client, daemon: Daemon) -> None:
    daemon.scheduler.script = thinks_speaks_and_calls
    assert short(stream_of(http, tools=[WEATHER, SHELL])) == [
        "created",
        "in_progress",
        *("output_item.added", "content_part.added"),
        *("reasoning_text.delta", "reasoning_text.delta", "reasoning_text.done"),
        *("content_part.done", "output_item.done"),
        *("output_item.added", "content_part.added"),
        *("output_text.delta", "output_text.delta", "output_text.done"),
        *("content_part.done", "output_item.done"),
        "output_item.added",
        *("function_call_arguments.delta", "function_call_arguments.delta", "function_call_arguments.done"),
        "output_item.done",
        "output_item.added",
        *("custom_tool_call_input.delta", "custom_tool_call_input.delta", "custom_tool_call_input.done"),
        "output_item.done",
        "completed",
    ]


def test_events_are_numbered_from_nought_and_items_from_nought(http: httpx.Client, daemon: Daemon) -> None:
    daemon.scheduler.script = thinks_speaks_and_calls
    events = stream_of(http, tools=[WEATHER, SHELL])
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    added = [event for event in events if event["type"] == "response.output_item.added"]
    assert [event["output_index"] for event in added] == [0, 1, 2, 3]
    assert [event["item"]["status"] for event in added] == ["in_progress"] * 4


def test_the_parts_of_a_stream_add_up_to_its_end(http: httpx.Client, daemon: Daemon) -> None:
    daemon.scheduler.script = thinks_speaks_and_calls
    events = stream_of(http, tools=[WEATHER, SHELL])
    last = events[-1]["response"]
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert last["output"] == done
    assert (last["status"], last["usage"]["output_tokens_details"]["reasoning_tokens"]) == ("completed", 5)
    reasoning, message, function, custom = done
    assert reasoning["content"] == [{"type": "reasoning_text", "text": "Let me see."}]
    assert message["content"][0]["text"] == "I will look."
    assert (function["type"], function["call_id"], function["name"]) == ("function_call", "call_0", "weather")
    assert function["arguments"] == '{"city": "Rome"}'
    assert (custom["type"], custom["call_id"], custom["input"]) == ("custom_tool_call", "call_1", 'ls "a"')
    for kind, whole in (("output_text", "I will look."), ("custom_tool_call_input", 'ls "a"')):
        deltas = [event["delta"] for event in events if event["type"] == f"response.{kind}.delta"]
        assert "".join(deltas) == whole


def test_a_summary_is_told_where_one_is_asked_for(http: httpx.Client, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda r: [delta(r, "", reasoning="Hm."), delta(r, "Yes."), finished(r)]
    body = {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
    events = stream_of(http, **body)
    assert short(events)[2:8] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
    ]
    item = events[-1]["response"]["output"][0]
    assert item["summary"] == [{"type": "summary_text", "text": "Hm."}]
    assert item["encrypted_content"]
    assert daemon.scheduler.last.prompt.reasoning.effort == "low"


def test_an_answer_that_reaches_its_limit_is_incomplete(http: httpx.Client, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda r: [delta(r, "Hel"), finished(r, reason="length")]
    events = stream_of(http, max_output_tokens=1)
    assert short(events)[-2:] == ["output_item.done", "incomplete"]
    response = events[-1]["response"]
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert response["output"][0]["status"] == "incomplete"
    assert daemon.scheduler.last.stop.max_tokens == 1


def test_an_empty_answer_is_an_empty_message(http: httpx.Client, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda r: [accepted(r), finished(r)]
    events = stream_of(http)
    assert short(events)[2:] == [
        *("output_item.added", "content_part.added", "output_text.done", "content_part.done", "output_item.done"),
        "completed",
    ]
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == ""


def test_logprobs_come_with_words(http: httpx.Client, daemon: Daemon) -> None:
    token = TokenLogprob("Hi", b"Hi", -0.5, (TopLogprob("Hi", b"Hi", -0.5),))
    daemon.scheduler.script = lambda r: [
        delta(r, "", logprobs=(token,)),
        delta(r, "HiHi", logprobs=(token,)),
        finished(r),
    ]
    events = stream_of(http, include=["message.output_text.logprobs"], top_logprobs=1)
    [words] = [event for event in events if event["type"] == "response.output_text.delta"]
    assert [entry["token"] for entry in words["logprobs"]] == ["Hi", "Hi"]
    part = events[-1]["response"]["output"][0]["content"][0]
    assert [entry["top_logprobs"][0]["logprob"] for entry in part["logprobs"]] == [-0.5, -0.5]
    assert daemon.scheduler.last.logprobs == 1


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_refused_at_once_keeps_its_status(openai: OpenAI, daemon: Daemon, stream: bool) -> None:
    daemon.scheduler.refusal = QueueFull("256 requests wait", retry_after_s=3)
    with pytest.raises(library.RateLimitError):
        openai.responses.create(model="guide", input="Hi", stream=stream)


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_before_the_first_word_keeps_its_status(openai: OpenAI, daemon: Daemon, stream: bool) -> None:
    error = ContextLengthExceeded("the prompt has 9000 tokens, the context 2048", param="input")
    daemon.scheduler.script = lambda r: [accepted(r), error]
    with pytest.raises(library.BadRequestError) as caught:
        openai.responses.create(model="guide", input="Hi", stream=stream)
    assert caught.value.code == "context_length_exceeded"


def test_an_error_after_the_first_word_fails_the_response(http: httpx.Client, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda r: [delta(r, "Hello"), BackendError("the worker died")]
    events = stream_of(http)
    assert short(events)[-2:] == ["output_item.done", "failed"]
    response = events[-1]["response"]
    assert (response["status"], response["error"]["code"]) == ("failed", "server_error")
    assert response["error"]["message"] == "the worker died"
    assert response["output"][0]["content"][0]["text"] == "Hello"
    kept = http.get(f"{PATH}/{response['id']}").json()
    assert (kept["status"], kept["error"]["message"]) == ("failed", "the worker died")


class TestOfASlowModel:
    @pytest.fixture
    def timing(self) -> StreamTiming:
        return StreamTiming(headers_after_s=0.01, comment_every_s=60)

    def test_a_response_exists_before_its_first_word(
        self, http: httpx.Client, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(run, "PATIENCE_S", 0.01)
        daemon.scheduler.script = lambda r: []
        with http.stream("POST", PATH, json={"input": "Hi", "stream": True}) as response:
            daemon.next_submitted()
            lines = response.iter_lines()
            created = next(json.loads(line[6:]) for line in lines if line.startswith("data: "))
            assert created["type"] == "response.created"
            request = daemon.scheduler.last
            daemon.do(lambda: daemon.scheduler.tell(request, BackendError("no")))
            rest = "\n".join(lines)
        assert "response.failed" in rest
        assert http.get(f"{PATH}/{created['response']['id']}").json()["status"] == "failed"


def test_the_library_reads_the_stream_with_its_helper(openai: OpenAI) -> None:
    with openai.responses.stream(model="guide", input="Hi") as stream:
        words = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert (words, final.output_text) == (["Hello", " wörld"], "Hello wörld")


def test_the_async_library_streams(daemon: Daemon) -> None:
    async def ask() -> str:
        async with library.AsyncOpenAI(
            base_url=f"{daemon.url}/v1", api_key="none", http_client=library.DefaultAsyncHttpxClient(trust_env=False)
        ) as client:
            stream = await client.responses.create(model="guide", input="Hi", stream=True)
            return "".join([event.delta async for event in stream if event.type == "response.output_text.delta"])

    assert asyncio.run(ask()) == "Hello wörld"


def test_any_text_survives_the_stream_and_the_store(http: httpx.Client, daemon: Daemon) -> None:
    text = '"quoted" back\\slash\n\n\x00\u2028 😀 data: [DONE]\n\n'
    daemon.scheduler.script = lambda r: [delta(r, text), finished(r)]
    events = stream_of(http)
    identity = events[-1]["response"]["id"]
    kept: Any = http.get(f"{PATH}/{identity}").json()
    assert kept["output"][0]["content"][0]["text"] == text
    assert events_of(http.get(f"{PATH}/{identity}?stream=true").text) == events
