"""The judgement of what came back: a good answer of each dialect, and each way in which one is not good."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from appliance.cli.clients.replay.answer import Raw
from appliance.cli.clients.replay.judge import fault, judge
from appliance.cli.clients.replay.script import Script, Step

CALL = {"function": {"name": "ls", "arguments": "{}"}}
USED = {"prompt_tokens_details": {"cached_tokens": 7}}
RESPONSE = {
    "status": "completed",
    "usage": {"input_tokens_details": {"cached_tokens": 7}},
    "output": [
        {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]},
        {"type": "function_call", "name": "ls"},
    ],
}
MESSAGE = {
    "content": [{"type": "text", "text": "Hi"}, {"type": "tool_use", "name": "ls"}],
    "usage": {"cache_read_input_tokens": 7},
    "stop_reason": "tool_use",
}


def whole(value: object, status: int = 200) -> Raw:
    return Raw(status, "application/json", json.dumps(value).encode())


def stream(*events: object, end: str = "") -> Raw:
    lines = [": waiting", *(f"event: x\ndata: {json.dumps(event)}" for event in events), end]
    return Raw(200, "text/event-stream", "\n\n".join(lines).encode())


def chunk(**choice: Any) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [choice]}


CHUNKS = (
    chunk(delta={"content": "Hi"}, finish_reason=None),
    chunk(delta={"tool_calls": [CALL]}, finish_reason="tool_calls"),
    {"object": "chat.completion.chunk", "choices": [], "usage": USED},
)
EVENTS = (
    {"type": "message_start", "message": {}},
    {"type": "content_block_start", "content_block": {"type": "tool_use", "name": "ls"}},
    {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hi"}},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"cache_read_input_tokens": 7}},
    {"type": "message_stop"},
)


def step(kind: Any, *wants: Any, **more: Any) -> Step:
    return Step(name="a step", path="/", kind=kind, wants=wants, **more)


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("chat", stream(*CHUNKS, end="data: [DONE]")),
        (
            "chat",
            whole(
                {
                    "choices": [{"message": {"content": "Hi", "tool_calls": [CALL]}, "finish_reason": "stop"}],
                    "usage": USED,
                }
            ),
        ),
        ("responses", whole(RESPONSE)),
        ("responses", stream({"type": "response.created"}, {"type": "response.completed", "response": RESPONSE})),
        ("messages", whole(MESSAGE)),
        ("messages", stream(*EVENTS)),
    ],
)
def test_a_good_answer_of_each_dialect_has_no_fault(kind: Any, raw: Raw) -> None:
    assert fault(step(kind, "text", "call", "cached"), raw) is None


def test_answers_of_ollama_come_line_by_line() -> None:
    lines = [{"message": {"content": "Hi"}, "done": False}, {"message": {"tool_calls": [CALL]}, "done": True}]
    body = "\n".join(map(json.dumps, lines)).encode()
    assert fault(step("ollama", "text", "call"), Raw(200, "application/x-ndjson", body)) is None
    assert "no end" in str(fault(step("ollama"), whole(lines[0])))
    assert fault(step("ollama", "text"), whole({"response": "Hi", "done": True})) is None


@pytest.mark.parametrize(
    ("asked", "raw", "problem"),
    [
        (step("chat"), stream(*CHUNKS), "no end"),
        (step("chat", "cached"), stream(*CHUNKS[:2], end="data: [DONE]"), "computed again"),
        (step("chat"), Raw(200, "text/event-stream", b"data: {oops"), "has not the form"),
        (step("messages"), stream(*EVENTS[:-1]), "no end"),
        (step("messages"), stream(EVENTS[0], {"type": "error", "error": {"message": "it broke"}}), "it broke"),
        (step("messages", "call"), whole(MESSAGE | {"content": []}), "did not use the tool"),
        (step("messages", "text"), whole(MESSAGE | {"content": []}), "is empty"),
        (step("responses"), whole(RESPONSE | {"status": "failed"}), "no end"),
        (step("embeddings"), whole({"data": [{"embedding": []}]}), "a vector is empty"),
        (step("json"), Raw(200, "text/html", b"<html>"), "has not the form"),
        (step("status"), Raw(404, "", b""), "404, and no reason given"),
        (step("chat"), whole({"error": {"message": "too long"}}, 400), "a step: 400, too long"),
        (step("ollama"), whole({"error": "no such model"}, 404), "404, no such model"),
    ],
)
def test_what_is_wrong_is_said(asked: Step, raw: Raw, problem: str) -> None:
    assert problem in str(fault(asked, raw))


GOOD, BAD = whole({}), whole({"error": {"message": "oh"}}, 500)


def verdict(*pairs: tuple[Step, Raw | None], size: int = 0, context_tokens: int | None = 1000) -> tuple[str, str]:
    script = Script(client="x", source="", steps=tuple(step for step, _ in pairs), first_request_bytes=size)
    found = judge(script, [raw for _, raw in pairs], context_tokens=context_tokens, capabilities=("completion", "chat"))
    return found.works, "; ".join(found.reasons)


def test_a_client_works_when_every_step_does() -> None:
    assert verdict((step("json"), GOOD), (step("json"), GOOD)) == ("yes", "")


def test_one_step_that_fails_is_enough_unless_it_is_not_what_the_client_is_for() -> None:
    assert verdict((step("json"), GOOD), (step("json"), BAD)) == ("no", "a step: 500, oh")
    assert verdict((step("json"), GOOD), (step("json", optional="slow"), BAD))[0] == "partly"
    assert verdict((step("json"), BAD), (replace(step("json"), name="b"), BAD))[1] == "a step: 500, oh", "is said once"
    assert verdict((step("json", needs="embeddings", optional="no search"), None)) == (
        "partly",
        "a step: not tried, no search",
    )


def test_a_way_without_a_key_is_not_the_only_one() -> None:
    unasked = whole({"error": "a key is needed"}, 401)
    keyless = replace(step("ollama"), path="/api/chat")
    works, reasons = verdict((step("json"), GOOD), (keyless, unasked))
    assert works == "partly" and "sends no key" in reasons and "/v1" in reasons
    assert verdict((step("json"), unasked))[0] == "no"


def test_a_first_request_that_does_not_fit_is_told_with_both_numbers() -> None:
    works, reasons = verdict((step("json"), GOOD), size=8000)
    assert works == "no" and "2000 tokens" in reasons and "room for 1000" in reasons
    assert verdict((step("json"), GOOD), size=8000, context_tokens=None)[0] == "yes"
    assert verdict((step("json"), GOOD), size=4000)[0] == "yes"
