"""Answers against the document that OpenAI publishes, where OPENAI_SPEC names a copy of it (as JSON or YAML)."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from appliance.core.events import RequestEvent, TokenLogprob, ToolCallDelta, TopLogprob
from appliance.core.request import GenerateRequest
from tests.api.conftest import Daemon
from tests.fakes import accepted, delta, finished

if "OPENAI_SPEC" not in os.environ:
    pytest.skip("OPENAI_SPEC names no copy of OpenAI's document", allow_module_level=True)


HI = [{"role": "user", "content": "Hi"}]
TOOLS = [
    {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},
    {"type": "custom", "custom": {"name": "c"}},
]
SCORE = TokenLogprob("a", b"a", -0.5, (TopLogprob("b", b"b", -1.0),))

Check = Callable[[str, Any], None]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    path = Path(os.environ["OPENAI_SPEC"])
    if path.suffix == ".json":
        loaded: dict[str, Any] = json.loads(path.read_text())
    else:
        loaded = pytest.importorskip("yaml").safe_load(path.read_text())
    return without_nullable(loaded)


def without_nullable(node: Any) -> Any:
    """Say `nullable`, which the document has kept from OpenAPI 3.0, as JSON Schema says it."""
    if isinstance(node, list):
        return [without_nullable(each) for each in node]
    if not isinstance(node, dict):
        return node
    schema = {name: without_nullable(value) for name, value in node.items() if name != "nullable"}
    return {"anyOf": [schema, {"type": "null"}]} if node.get("nullable") is True else schema


@pytest.fixture
def check(document: dict[str, Any]) -> Check:
    def validate(name: str, value: Any) -> None:
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(value)

    return validate


def thinking_and_calling(request: GenerateRequest) -> list[RequestEvent]:
    """Does everything that an answer can do."""
    return [
        accepted(request),
        delta(request, "", reasoning="Hm."),
        delta(request, "Hello", logprobs=(SCORE,) if request.logprobs is not None else ()),
        delta(request, "", tool_calls=(ToolCallDelta(0, "a", "f", "{}"),)),
        finished(request, reason="tool_calls"),
    ]


BODIES: list[dict[str, Any]] = [
    {},
    {"n": 2},
    {"logprobs": True, "top_logprobs": 1},
    {"tools": TOOLS},
    {"functions": [{"name": "f"}]},
    {"metadata": {"a": "b"}, "service_tier": "flex", "stream_options": {"include_usage": True}},
]


def ask(http: httpx.Client, path: str, body: dict[str, Any]) -> httpx.Response:
    response = http.post(path, json=body)
    assert response.status_code == 200, response.text
    return response


def events_of(response: httpx.Response) -> list[Any]:
    return [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: {")]


@pytest.mark.parametrize("fields", BODIES, ids=str)
def test_chats_are_as_published(http: httpx.Client, daemon: Daemon, check: Check, fields: dict[str, Any]) -> None:
    if "tools" in fields or "functions" in fields or "logprobs" in fields:
        daemon.scheduler.script = thinking_and_calling
    body = {"model": "guide", "messages": HI, **fields}
    check("CreateChatCompletionRequest", body)
    check("CreateChatCompletionResponse", ask(http, "/v1/chat/completions", body).json())
    for chunk in events_of(ask(http, "/v1/chat/completions", body | {"stream": True})):
        check("CreateChatCompletionStreamResponse", chunk)


def test_a_call_of_a_custom_tool_is_as_published(http: httpx.Client, daemon: Daemon, check: Check) -> None:
    made = ToolCallDelta(0, "a", "c", '{"input": "ls"}')
    daemon.scheduler.script = lambda r: [delta(r, "", tool_calls=(made,)), finished(r, reason="tool_calls")]
    body = {"model": "guide", "messages": HI, "tools": TOOLS}
    check("CreateChatCompletionResponse", ask(http, "/v1/chat/completions", body).json())


@pytest.mark.parametrize("fields", [{}, {"n": 2}, {"logprobs": 1}, {"best_of": 2}], ids=str)
def test_completions_are_as_published(http: httpx.Client, daemon: Daemon, check: Check, fields: dict[str, Any]) -> None:
    body = {"model": "guide", "prompt": "Hi", **fields}
    check("CreateCompletionRequest", body)
    check("CreateCompletionResponse", ask(http, "/v1/completions", body).json())


def test_models_and_errors_are_as_published(http: httpx.Client, check: Check) -> None:
    check("ListModelsResponse", http.get("/v1/models").json())
    check("ErrorResponse", http.post("/v1/chat/completions", json={}).json())
    check("ErrorResponse", http.get("/v1/models/nobody").json())
