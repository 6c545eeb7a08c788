"""The lines that Ollama's clients read, byte by byte."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from appliance.core.events import Delta, Finished, RequestEvent, Timings, TokenLogprob, ToolCallDelta, TopLogprob, Usage
from appliance.core.request import RequestId
from appliance.dialects.answer import Answer
from appliance.dialects.ollama.errors import error_line
from appliance.dialects.ollama.moments import Stamps, rfc3339
from appliance.dialects.ollama.reply import Kind, ReplyStream, nothing_said, whole_reply
from appliance.errors import BackendError

ID = RequestId("r")
AT = "2023-11-14T22:13:20.000000007Z"


def stamps() -> Stamps:
    """A clock that stands still."""
    return Stamps(lambda: 1_700_000_000_000_000_007)


def delta(text: str = "", **fields: Any) -> Delta:
    return Delta(id=ID, choice=0, num_tokens=1, text=text, **fields)


def finished(reason: Any = "stop", **fields: Any) -> Finished:
    return Finished(
        id=ID,
        choice=0,
        reason=reason,
        usage=Usage(prompt_tokens=7, cached_tokens=3, completion_tokens=2),
        timings=Timings(queue_s=0.5, prefill_s=0.25, decode_s=0.125),
        mean_token_probability=None,
        **fields,
    )


def call(index: int, arguments: str, name: str | None = None) -> Delta:
    return delta(tool_calls=(ToolCallDelta(index, f"call_{index}" if name else None, name, arguments),))


def lines(kind: Kind, *events: RequestEvent) -> bytes:
    stream = ReplyStream(kind, "guide", stamps())
    return b"".join(map(stream.add, events)) + stream.end()


def parsed(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def whole(kind: Kind, *events: RequestEvent) -> dict[str, Any]:
    answer = Answer(1)
    for event in events:
        answer.add(event)
    value: dict[str, Any] = json.loads(whole_reply(kind, "guide", answer, stamps()))
    return value


def test_a_chat_is_told_line_by_line() -> None:
    assert lines("chat", delta("He said: "), delta(), delta('"wörld"'), finished()).decode() == (
        f'{{"model":"guide","created_at":"{AT}","message":{{"role":"assistant","content":"He said: "}},"done":false}}\n'
        f'{{"model":"guide","created_at":"{AT}","message":{{"role":"assistant","content":"\\"wörld\\""}},"done":false}}\n'
        f'{{"model":"guide","created_at":"{AT}","message":{{"role":"assistant","content":""}},"done":true,'
        '"done_reason":"stop","total_duration":0,"load_duration":500000000,"prompt_eval_count":7,'
        '"prompt_eval_duration":250000000,"eval_count":2,"eval_duration":125000000}\n'
    )


def test_a_prompt_is_answered_line_by_line() -> None:
    assert lines("generate", delta("Hello"), finished("length", tokens=(1, 2, 3))).decode() == (
        f'{{"model":"guide","created_at":"{AT}","response":"Hello","done":false}}\n'
        f'{{"model":"guide","created_at":"{AT}","response":"","done":true,"done_reason":"length",'
        '"context":[1,2,3],"total_duration":0,"load_duration":500000000,"prompt_eval_count":7,'
        '"prompt_eval_duration":250000000,"eval_count":2,"eval_duration":125000000}\n'
    )


def test_thoughts_stand_beside_the_answer() -> None:
    events = delta(reasoning="hm"), delta("four", reasoning="!"), delta("."), finished()
    messages = [line["message"] for line in parsed(lines("chat", *events))]
    assert [(m.get("thinking"), m["content"]) for m in messages] == [("hm", ""), ("!", "four"), (None, "."), (None, "")]
    assert whole("chat", *events)["message"] == {"role": "assistant", "content": "four.", "thinking": "hm!"}
    said = whole("generate", *events)
    assert (said["response"], said["thinking"]) == ("four.", "hm!")


def test_calls_are_told_whole_each_when_it_is_complete() -> None:
    events = (
        delta("Let me look."),
        call(0, '{"city"', "weather"),
        call(0, ': "Oslo"}'),
        call(1, "", "time"),
        finished("tool_calls"),
    )
    stream = ReplyStream("chat", "guide", stamps())
    told = [parsed(stream.add(event)) for event in events]
    assert [len(each) for each in told] == [1, 0, 0, 1, 2]
    first = {"id": "call_0", "function": {"index": 0, "name": "weather", "arguments": {"city": "Oslo"}}}
    second = {"id": "call_1", "function": {"index": 1, "name": "time", "arguments": {}}}
    assert told[3][0]["message"] == {"role": "assistant", "content": "", "tool_calls": [first]}
    assert told[4][0]["message"]["tool_calls"] == [second]
    assert told[4][1]["done_reason"] == "stop"
    assert whole("chat", *events)["message"]["tool_calls"] == [first, second]


def test_a_call_that_was_cut_off_is_not_told() -> None:
    events = call(0, "{}", "first"), call(1, '{"city": "Os', "weather"), finished("length")
    told = parsed(lines("chat", *events))
    assert [call["function"]["name"] for line in told for call in line["message"].get("tool_calls", [])] == ["first"]
    assert told[-1]["done_reason"] == "length"
    assert len(whole("chat", *events)["message"]["tool_calls"]) == 1


@pytest.mark.parametrize("kind", ["chat", "generate"])
def test_logprobs_have_their_tokens_and_no_infinity(kind: Kind) -> None:
    token = TokenLogprob("Hi", b"Hi", -0.5, (TopLogprob("Ho", b"Ho", float("-inf")),))
    events = delta("Hi", logprobs=(token,)), finished()
    expected = [
        {
            "token": "Hi",
            "logprob": -0.5,
            "bytes": [72, 105],
            "top_logprobs": [{"token": "Ho", "logprob": -9999.0, "bytes": [72, 111]}],
        }
    ]
    first, last = parsed(lines(kind, *events))
    assert first["logprobs"] == expected == whole(kind, *events)["logprobs"]
    assert "logprobs" not in last


@pytest.mark.parametrize("kind", ["chat", "generate"])
def test_a_whole_answer_is_what_the_lines_say(kind: Kind) -> None:
    events = delta("Hello"), delta(" wörld"), finished(tokens=(1, 2))
    *spoken, last = parsed(lines(kind, *events))
    answer = whole(kind, *events)
    text = "".join(line["response"] if kind == "generate" else line["message"]["content"] for line in spoken)
    assert (answer["response"] if kind == "generate" else answer["message"]["content"]) == text == "Hello wörld"
    same = last.keys() - {"message", "response"}
    assert {name: answer[name] for name in same} == {name: last[name] for name in same}


def test_a_token_in_no_time_can_be_divided_by() -> None:
    event = finished()
    quick = Finished(
        id=ID,
        choice=0,
        reason="stop",
        usage=event.usage,
        timings=Timings(queue_s=0.0, prefill_s=0.0, decode_s=0.0),
        mean_token_probability=None,
    )
    assert whole("chat", quick)["eval_duration"] == 1


def test_loading_and_unloading_say_nothing_but_that() -> None:
    chat, prompt = (json.loads(nothing_said(kind, "guide", "load", stamps())) for kind in kinds())
    assert chat == {
        "model": "guide",
        "created_at": AT,
        "message": {"role": "assistant", "content": ""},
        "done": True,
        "done_reason": "load",
    }
    assert prompt["response"] == ""


def kinds() -> Iterator[Kind]:
    yield from ("chat", "generate")


def test_an_error_is_one_sentence_on_a_line_of_its_own() -> None:
    assert error_line(BackendError("its worker died")) == b'{"error":"its worker died"}\n'


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [(0, "1970-01-01T00:00:00.000000000Z"), (1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456789Z")],
)
def test_moments_are_written_to_the_nanosecond(time_ns: int, text: str) -> None:
    assert rfc3339(time_ns) == text


def test_the_clock_moves_on_between_lines() -> None:
    ticks: Sequence[int] = [0, 1, 10**9 + 5, 2 * 10**9]
    clock = iter(ticks)
    stamps = Stamps(lambda: next(clock))
    assert [stamps.now(), stamps.now()] == ["1970-01-01T00:00:00.000000001Z", "1970-01-01T00:00:01.000000005Z"]
    assert stamps.total_ns == 2 * 10**9
