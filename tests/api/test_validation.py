"""What is refused with 400, and which field each refusal names."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.conftest import PATIENT, Daemon, served

HI = [{"role": "user", "content": "Hi"}]
FUNCTION = {"type": "function", "function": {"name": "f"}}
SAID = {"role": "assistant", "content": "Well"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}


def called(call: dict[str, Any]) -> dict[str, Any]:
    """A turn in which the assistant made a call."""
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def allowed(*names: str) -> dict[str, Any]:
    """A choice of these functions."""
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": tools}}


SHARED: list[tuple[dict[str, Any], str]] = [
    ({"temperature": -0.1}, "temperature"),
    ({"temperature": 2.1}, "temperature"),
    ({"temperature": "hot"}, "temperature"),
    ({"top_p": 1.5}, "top_p"),
    ({"top_k": -2}, "top_k"),
    ({"min_p": 2}, "min_p"),
    ({"typical_p": 0}, "typical_p"),
    ({"repeat_penalty": 0}, "repeat_penalty"),
    ({"presence_penalty": 2.5}, "presence_penalty"),
    ({"frequency_penalty": -3}, "frequency_penalty"),
    ({"n": 0}, "n"),
    ({"n": 129}, "n"),
    ({"n": True}, "n"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"seed": 2**63}, "seed"),
    ({"seed": 1.5}, "seed"),
    ({"stop": ["a"] * 17}, "stop"),
    ({"stop": ""}, "stop"),
    ({"stop": ["a", ""]}, "stop[1]"),
    ({"logit_bias": {"5": 101}}, "logit_bias[...]"),
    ({"logit_bias": {"five": 1}}, "logit_bias"),
    ({"n_probs": 21}, "n_probs"),
    ({"priority": "urgent"}, "priority"),
    ({"deadline_s": 0}, "deadline_s"),
    ({"cache": {"mode": "never"}}, "cache.mode"),
    ({"cache": {"ttl_s": -1}}, "cache.ttl_s"),
    ({"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
    ({"model": "no such model"}, "model"),
    ({"response_format": {}}, "response_format.type"),
    ({"response_format": {"type": "xml"}}, "response_format.type"),
    ({"response_format": "json"}, "response_format"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ({"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}}, "response_format.json_schema.name"),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "no spaces"}}},
        "response_format.json_schema.name",
    ),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": 1}}},
        "response_format.json_schema.schema",
    ),
    (
        {"response_format": {"type": "grammar", "grammar": {"syntax": "bnf", "definition": ""}}},
        "response_format.grammar.syntax",
    ),
    ({"grammar": 5}, "grammar"),
    ({"grammar": 'root ::= "a"', "json_schema": {}}, "json_schema"),
    ({"response_format": {"type": "json_object"}, "guided_choice": ["a"]}, "guided_choice"),
    ({"guided_choice": []}, "guided_choice"),
    ({"guided_json": "{"}, "guided_json"),
    ({"structured_outputs": {"json": "5"}}, "structured_outputs.json"),
    ({"structured_outputs": {"structural_tag": "{}"}}, "structured_outputs.structural_tag"),
    ({"mirostat": 2}, "mirostat"),
    ({"modalities": ["text", "audio"]}, "modalities"),
]
CHAT: list[tuple[dict[str, Any], str]] = [
    ({"messages": []}, "messages"),
    ({"messages": None}, "messages"),
    ({"messages": "Hi"}, "messages"),
    ({"messages": [{"content": "Hi"}]}, "messages[0].role"),
    ({"messages": [{"role": "robot", "content": "Hi"}]}, "messages[0].role"),
    ({"messages": [*HI, {"role": "user"}]}, "messages[1].content"),
    (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, IMAGE]}]},
        "messages[0].content[1].image_url.url",
    ),
    ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages[0].content[0].input_audio"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
    ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({"messages": [*HI, called({"id": "x"})]}, "messages[1].tool_calls[0].function"),
    ({"messages": [*HI, called({"id": "x", "type": "custom"})]}, "messages[1].tool_calls[0].custom"),
    ({"messages": [*HI, called({"id": "x", "type": "web"})]}, "messages[1].tool_calls[0].type"),
    ({"messages": [*HI, called({"function": {"name": "f"}})]}, "messages[1].tool_calls[0].id"),
    ({"messages": [*HI, {"role": "function", "content": "5"}]}, "messages[1].name"),
    ({"messages": [*HI, {"role": "tool", "tool_call_id": "x"}]}, "messages[1].content"),
    ({"messages": HI, "continue_final_message": True}, "continue_final_message"),
    ({"messages": HI, "add_generation_prompt": False}, "add_generation_prompt"),
    (
        {"messages": [*HI, SAID], "continue_final_message": True, "add_generation_prompt": True},
        "add_generation_prompt",
    ),
    ({"tools": {}}, "tools"),
    ({"tools": [{"function": {"name": "f"}}]}, "tools[0].type"),
    ({"tools": [FUNCTION, {"type": "web_search"}]}, "tools[1].type"),
    ({"tools": [{"type": "function", "function": {"description": "f"}}]}, "tools[0].function.name"),
    ({"tools": [{"type": "function", "function": {"name": ""}}]}, "tools[0].function.name"),
    ({"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]}, "tools[0].function.parameters"),
    ({"tools": [{"type": "custom", "custom": {"name": "f", "format": {"type": "x"}}}]}, "tools[0].custom.format.type"),
    ({"tool_choice": "required"}, "tool_choice"),
    ({"tools": [FUNCTION], "tool_choice": "always"}, "tool_choice"),
    ({"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice"),
    ({"tools": [FUNCTION], "tool_choice": {"type": "custom", "custom": {"name": "g"}}}, "tool_choice"),
    ({"tools": [FUNCTION], "tool_choice": {"type": "function"}}, "tool_choice.function"),
    ({"tools": [FUNCTION], "tool_choice": allowed("f", "g")}, "tool_choice.allowed_tools.tools[1]"),
    ({"tools": [FUNCTION], "tool_choice": allowed()}, "tool_choice.allowed_tools.tools"),
    ({"tools": [FUNCTION], "functions": [{"name": "f"}]}, "functions"),
    ({"functions": [{"name": "f"}], "function_call": {"name": "g"}}, "function_call"),
    ({"functions": [{"name": "f"}], "function_call": "required"}, "function_call"),
    ({"function_call": {"name": "f"}}, "function_call"),
    ({"parallel_tool_calls": "yes"}, "parallel_tool_calls"),
    ({"reasoning_effort": "much"}, "reasoning_effort"),
    ({"reasoning": {"effort": 3}}, "reasoning.effort"),
    ({"reasoning": {"max_tokens": -1}}, "reasoning.max_tokens"),
    ({"thinking_budget_tokens": -2}, "thinking_budget_tokens"),
    ({"metadata": {"a": 1}}, "metadata[...]"),
    ({"metadata": {str(i): "" for i in range(17)}}, "metadata"),
    ({"service_tier": "best"}, "service_tier"),
    ({"verbosity": "loud"}, "verbosity"),
    ({"store": "yes"}, "store"),
    ({"prediction": "text"}, "prediction"),
    ({"moderation": {"model": "m"}}, "moderation"),
    ({"echo": True}, "echo"),
    ({"suffix": "the end"}, "suffix"),
    ({"best_of": 2}, "best_of"),
    ({"max_completion_tokens": 0}, "max_completion_tokens"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    ({"top_logprobs": 1}, "top_logprobs"),
    ({"chat_template_kwargs": []}, "chat_template_kwargs"),
]
COMPLETION: list[tuple[dict[str, Any], str]] = [
    ({"prompt": None}, "prompt"),
    ({"prompt": []}, "prompt"),
    ({"prompt": ["a", 1]}, "prompt"),
    ({"prompt": [[]]}, "prompt[0]"),
    ({"prompt": [-1]}, "prompt[0]"),
    ({"prompt": ["a"] * 129}, "prompt"),
    ({"logprobs": 21}, "logprobs"),
    ({"tools": [FUNCTION]}, "tools"),
    ({"functions": [{"name": "f"}]}, "functions"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"echo": "yes"}, "echo"),
    ({"suffix": 5}, "suffix"),
    ({"suffix": "end", "prompt": [1, 2]}, "suffix"),
    ({"suffix": "end", "echo": True}, "suffix"),
    ({"best_of": 0}, "best_of"),
    ({"best_of": 2, "n": 3}, "best_of"),
    ({"best_of": 2, "stream": True}, "best_of"),
]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for all: a refusal leaves nothing behind."""
    with served(tmp_path_factory.mktemp("home"), PATIENT) as daemon:
        yield daemon


def case_id(value: object) -> str | None:
    return None if isinstance(value, str) else str(value)[:60]


@pytest.mark.parametrize(("fields", "param"), [*SHARED, *CHAT], ids=case_id)
def test_a_chat_request_that_cannot_be_served_names_its_field(
    http: httpx.Client, daemon: Daemon, fields: dict[str, Any], param: str
) -> None:
    refuse(http, daemon, "/v1/chat/completions", {"messages": HI} | fields, param)


@pytest.mark.parametrize(("fields", "param"), [*SHARED, *COMPLETION], ids=case_id)
def test_a_completion_request_that_cannot_be_served_names_its_field(
    http: httpx.Client, daemon: Daemon, fields: dict[str, Any], param: str
) -> None:
    refuse(http, daemon, "/v1/completions", {"prompt": "Hi"} | fields, param)


def refuse(http: httpx.Client, daemon: Daemon, path: str, body: dict[str, Any], param: str) -> None:
    num_requests = len(daemon.scheduler.requests)
    response = http.post(path, json=body)
    error = response.json()["error"]
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    assert response.status_code == (404 if param == "model" else 400)
    assert len(daemon.scheduler.requests) == num_requests


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [], "tool_choice": "none", "functions": None},
        {"tool_choice": "auto", "response_format": {"type": "text"}, "modalities": ["text"]},
        {"echo": False, "suffix": "", "best_of": 1, "mirostat": 0, "grammar": "", "json_schema": None},
        {"priority": "batch", "deadline_s": 5, "cache": {"mode": "off", "ttl_s": 60, "scope": "shared"}},
        {"temperature": None, "top_p": None, "n": None, "stop": None, "seed": None, "logit_bias": None, "user": None},
        {"nobody": "knows this", "store": True, "metadata": {"a": "b"}, "service_tier": "auto", "verbosity": "low"},
        {"prediction": {"type": "content", "content": "a"}, "prompt_cache_key": "k", "web_search_options": {}},
    ],
    ids=case_id,
)
def test_what_asks_for_nothing_new_is_accepted(http: httpx.Client, fields: dict[str, Any]) -> None:
    for path, body in (("/v1/chat/completions", {"messages": HI}), ("/v1/completions", {"prompt": "Hi"})):
        assert http.post(path, json=body | fields).status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"\xff", b'{"messages": ' + b"[" * 100_000 + b"]" * 100_000, b'{"x":' * 90_000],
    ids=["empty", "cut", "array", "not UTF-8", "too deep", "too deep and cut"],
)
def test_a_body_that_is_not_our_json_is_refused(http: httpx.Client, body: bytes) -> None:
    response = http.post("/v1/chat/completions", content=body[:100_000], headers={"content-type": "application/json"})
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert http.get("/health").status_code == 200
