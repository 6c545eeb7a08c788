"""A message as events: which, in which order, and when the first."""

import json
from collections.abc import Sequence
from typing import Any

from appliance.core.events import RequestEvent
from appliance.core.request import ChatPrompt, GenerateRequest, Message, RequestId
from appliance.dialects.anthropic.message import Telling
from appliance.dialects.anthropic.stream import PING, MessageStream
from appliance.dialects.anthropic.thinking import Display, thinking_of
from tests.api.claude import called, stopped_at, thinks_speaks_and_calls, thought
from tests.fakes import accepted, delta, finished

REQUEST = GenerateRequest(
    id=RequestId("r"), model="guide", prompt=ChatPrompt(messages=(Message(role="user", content="Hi"),))
)
START = ["message_start", "ping"]
END = ["message_delta", "message_stop"]


def telling(max_tokens: int = 100, display: Display = "shown") -> Telling:
    return Telling(id="msg_r", model="guide", max_tokens=max_tokens, display=display)


def events_of(data: bytes) -> list[dict[str, Any]]:
    """Return the events in `data`; each must be named twice alike."""
    events = []
    for block in data.decode().split("\n\n")[:-1]:
        name, body = block.split("\n")
        event = json.loads(body.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        events.append(event)
    return events


def streamed(events: Sequence[Any], how: Telling | None = None) -> list[dict[str, Any]]:
    stream = MessageStream(how or telling())
    return events_of(b"".join(map(stream.add, events)) + stream.end())


def golden(events: Sequence[dict[str, Any]]) -> list[str]:
    """Return what a person would write down of each event."""
    told = []
    for event in events:
        words = [event["type"]]
        if "content_block" in event:
            words += [str(event["index"]), event["content_block"]["type"]]
        elif event["type"] == "content_block_delta":
            kind, *rest = event["delta"].values()
            words += [str(event["index"]), kind, *(["…"] if kind == "signature_delta" else rest)]
        elif "index" in event:
            words.append(str(event["index"]))
        told.append(" ".join(words))
    return told


def test_thoughts_words_and_calls_are_blocks_one_after_the_other() -> None:
    assert golden(streamed(thinks_speaks_and_calls(REQUEST))) == [
        *START,
        "content_block_start 0 thinking",
        "content_block_delta 0 thinking_delta They ask ",
        "content_block_delta 0 thinking_delta about the weather.",
        "content_block_delta 0 signature_delta …",
        "content_block_stop 0",
        "content_block_start 1 text",
        "content_block_delta 1 text_delta Let me ",
        "content_block_delta 1 text_delta look.",
        "content_block_stop 1",
        "content_block_start 2 tool_use",
        'content_block_delta 2 input_json_delta {"city": ',
        'content_block_delta 2 input_json_delta "Paris"}',
        "content_block_stop 2",
        "content_block_start 3 tool_use",
        'content_block_delta 3 input_json_delta {"city": "Rom',
        'content_block_delta 3 input_json_delta e"}',
        "content_block_stop 3",
        *END,
    ]


def test_the_first_event_has_the_prompts_cost_and_the_last_but_one_the_whole() -> None:
    start, *_, last, _ = streamed(thinks_speaks_and_calls(REQUEST))
    message, usage = start["message"], start["message"]["usage"]
    assert (message["id"], message["content"], message["stop_reason"]) == ("msg_r", [], None)
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (4, 3, 0)
    assert last["delta"]["stop_reason"] == "tool_use"
    usage = last["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (4, 3, 9)


def test_a_call_is_named_when_it_begins() -> None:
    calls = [event["content_block"] for event in streamed(thinks_speaks_and_calls(REQUEST)) if "content_block" in event]
    assert calls[2:] == [
        {"type": "tool_use", "id": "call_a", "name": "weather", "input": {}},
        {"type": "tool_use", "id": "call_b", "name": "weather", "input": {}},
    ]


def test_words_after_a_call_are_a_block_of_their_own() -> None:
    events = [called(REQUEST, 0, "a", "f", "{}"), delta(REQUEST, "So."), called(REQUEST, 1, "b", "g", "{}")]
    blocks = [
        event["content_block"]["type"] for event in streamed([*events, finished(REQUEST)]) if "content_block" in event
    ]
    assert blocks == ["tool_use", "text", "tool_use"]


def test_a_message_without_content_is_whole() -> None:
    assert golden(streamed([accepted(REQUEST), finished(REQUEST)])) == [*START, *END]


def test_nothing_is_sent_while_nothing_is_decided() -> None:
    stream = MessageStream(telling())
    assert stream.add(accepted(REQUEST)) == stream.add(delta(REQUEST, "")) == b""
    assert golden(events_of(stream.add(delta(REQUEST, "Hi"))))[:2] == START


def test_the_first_silence_after_the_prompt_was_accepted_starts_the_message_and_later_ones_ping() -> None:
    stream = MessageStream(telling())
    stream.add(accepted(REQUEST))
    assert golden(events_of(stream.silence() or b"")) == START
    assert stream.silence() == PING
    assert golden(events_of(stream.add(delta(REQUEST, "Hi"))))[0] == "content_block_start 0 text"
    assert stream.silence() == PING


def test_a_prompt_that_is_accepted_after_the_first_silence_starts_the_message_at_once() -> None:
    stream = MessageStream(telling())
    assert stream.silence() is None
    assert golden(events_of(stream.add(accepted(REQUEST)))) == START
    assert stream.silence() == PING


def test_omitted_thoughts_are_only_signed() -> None:
    events = streamed(
        [thought(REQUEST, "Hm, "), thought(REQUEST, "yes."), finished(REQUEST)], telling(display="omitted")
    )
    assert golden(events)[2:-2] == [
        "content_block_start 0 thinking",
        "content_block_delta 0 signature_delta …",
        "content_block_stop 0",
    ]
    assert thinking_of("", events[3]["delta"]["signature"]) == "Hm, yes."


def test_hidden_thoughts_leave_no_trace() -> None:
    events = streamed([thought(REQUEST, "Hm."), delta(REQUEST, "Yes."), finished(REQUEST)], telling(display="hidden"))
    assert golden(events)[2] == "content_block_start 0 text"


def test_a_prompt_that_is_only_read_says_nothing_and_costs_no_output() -> None:
    events: list[RequestEvent] = [
        accepted(REQUEST),
        delta(REQUEST, "Hi"),
        finished(REQUEST, reason="length", completion_tokens=1),
    ]
    *_, last, _ = told = streamed(events, telling(max_tokens=0))
    assert golden(told) == [*START, *END]
    assert (last["delta"]["stop_reason"], last["usage"]["output_tokens"]) == ("max_tokens", 0)


def reason_of(event: RequestEvent) -> tuple[str, str | None]:
    ending = streamed([event])[-2]["delta"]
    return ending["stop_reason"], ending["stop_sequence"]


def test_every_end_has_its_reason() -> None:
    assert reason_of(finished(REQUEST)) == ("end_turn", None)
    assert reason_of(stopped_at(REQUEST, "END")) == ("stop_sequence", "END")
    assert reason_of(finished(REQUEST, reason="tool_calls")) == ("tool_use", None)
    assert reason_of(finished(REQUEST, reason="length", completion_tokens=100)) == ("max_tokens", None)
    assert reason_of(finished(REQUEST, reason="length", completion_tokens=60)) == (
        "model_context_window_exceeded",
        None,
    )


def test_any_text_survives() -> None:
    text = 'quoted "\\" \n\n\u2028 😀 \x00'
    events = streamed([delta(REQUEST, text), finished(REQUEST)])
    assert events[3]["delta"]["text"] == text
