"""What goes wrong, in Anthropic's words and as its library raises it."""

import json
from typing import Any

import anthropic as library
import httpx
import pytest
from anthropic import Anthropic
from anthropic.types.shared import ErrorResponse

from appliance.errors import (
    BackendError,
    ContextLengthExceeded,
    DeadlineExceeded,
    DoesNotFit,
    Draining,
    Forbidden,
    ModelLoading,
    QueueFull,
    RequestCancelled,
)
from tests.api.claude import BODY, HI
from tests.api.conftest import Daemon
from tests.fakes import accepted, delta

VERSION = {"anthropic-version": "2023-06-01"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "kind", "type"),
    [
        (ContextLengthExceeded("too long", param="messages"), library.BadRequestError, "invalid_request_error"),
        (Forbidden("not you"), library.PermissionDeniedError, "permission_error"),
        (RequestCancelled("ended"), library.APIStatusError, "invalid_request_error"),
        (QueueFull("256 wait", retry_after_s=3.2), library.RateLimitError, "rate_limit_error"),
        (BackendError("the worker died"), library.InternalServerError, "api_error"),
        (DoesNotFit("too large"), library.ServiceUnavailableError, "overloaded_error"),
        (ModelLoading("failed lately"), library.ServiceUnavailableError, "overloaded_error"),
        (Draining("stopping"), library.ServiceUnavailableError, "overloaded_error"),
        (DeadlineExceeded("too late"), library.GatewayTimeoutError, "timeout_error"),
    ],
)
def test_an_error_before_the_first_word_has_its_class(
    anthropic: Anthropic, daemon: Daemon, error: Any, kind: type[library.APIStatusError], type: str, stream: bool
) -> None:
    daemon.scheduler.script = lambda r: [accepted(r), error]
    with pytest.raises(kind, match=error.message) as caught:
        anthropic.messages.create(**BODY, stream=stream)
    assert (caught.value.status_code, caught.value.type) == (error.status, type)
    assert caught.value.error_code == error.code
    assert caught.value.request_id == caught.value.body["request_id"]


def test_an_error_has_the_shape_that_anthropic_publishes(http: httpx.Client) -> None:
    response = http.post("/v1/messages", json=BODY | {"model": "giude"}, headers={"x-request-id": "mine"})
    body = ErrorResponse.model_validate(response.json())
    assert (response.status_code, body.type, body.error.type) == (404, "error", "not_found_error")
    assert "did you mean 'guide'" in body.error.message
    assert body.request_id == response.headers["request-id"] == "mine"
    assert response.json()["error"]["details"] == {"error_code": "model_not_found", "param": "model"}


def test_an_error_after_the_first_word_is_the_last_event(
    anthropic: Anthropic, http: httpx.Client, daemon: Daemon
) -> None:
    daemon.scheduler.script = lambda r: [accepted(r), delta(r, "Hello"), BackendError("the worker died")]
    response = http.post("/v1/messages", json=BODY | {"stream": True})
    name, data = response.text.strip().split("\n\n")[-1].split("\n")
    assert (response.status_code, name) == (200, "event: error")
    error = json.loads(data.removeprefix("data: "))
    assert (error["error"]["type"], error["request_id"]) == ("api_error", response.headers["request-id"])
    with (
        pytest.raises(library.APIStatusError, match="the worker died"),
        anthropic.messages.stream(**BODY) as stream,
    ):
        stream.until_done()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "the prompt has 9000 tokens; this model's maximum context length is 2048 tokens",
            "prompt is too long: 9000 tokens > 2048 maximum; the prompt has",
        ),
        ("it is too long", "prompt is too long: it is too long"),
    ],
)
def test_a_prompt_that_is_too_long_is_called_so_in_the_words_that_agents_know(
    anthropic: Anthropic, daemon: Daemon, said: str, told: str
) -> None:
    daemon.scheduler.script = lambda r: [ContextLengthExceeded(said)]
    with pytest.raises(library.BadRequestError) as caught:
        anthropic.messages.create(**BODY)
    assert caught.value.api_message is not None
    assert caught.value.api_message.startswith(told)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"text": "a"}]}]}, "messages[0].content[0].type"),
        ({"system": [{"type": "image", "source": {"type": "url"}}]}, "system[0]"),
        ({"temperature": 1.5}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"stop_sequences": [""]}, "stop_sequences[0]"),
        ({"thinking": {"type": "sometimes"}}, "thinking.type"),
        ({"thinking": {"type": "enabled", "budget_tokens": 0}}, "thinking.budget_tokens"),
        ({"tool_choice": {"type": "all"}}, "tool_choice.type"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
    ],
)
def test_a_field_that_is_wrong_is_named(http: httpx.Client, change: dict[str, Any], param: str) -> None:
    response = http.post("/v1/messages", json=BODY | change)
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (400, "invalid_request_error")
    assert error["details"]["param"] == param
    assert param in error["message"]


def test_a_limit_is_required(http: httpx.Client) -> None:
    response = http.post("/v1/messages", json={"messages": HI})
    assert (response.status_code, response.json()["error"]["message"]) == (400, "'max_tokens' is required")


def test_what_never_reaches_a_route_is_refused_alike(http: httpx.Client, daemon: Daemon) -> None:
    large = http.post("/v1/messages", content=b" " * 200_000)
    assert (large.status_code, large.json()["error"]["type"]) == (413, "request_too_large")
    missing = http.get("/v1/messages/batches")
    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "not_found_error")
    wrong = http.get("/v1/messages")
    assert (wrong.status_code, wrong.json()["error"]["type"]) == (405, "invalid_request_error")
    foreign = http.post("/v1/messages", json=BODY, headers={"origin": "https://evil.example"})
    assert (foreign.status_code, foreign.json()["error"]["type"]) == (403, "permission_error")
    daemon.do(lambda: daemon.parts.keys.create("ci", "use"))
    unknown = http.post("/v1/messages", json=BODY)
    assert (unknown.status_code, unknown.json()["error"]["type"]) == (401, "authentication_error")
    assert unknown.json()["request_id"] == unknown.headers["request-id"]


def test_on_a_shared_path_a_header_says_whose_errors_are_read(http: httpx.Client) -> None:
    assert http.get("/v1/models/giude", headers=VERSION).json()["type"] == "error"
    assert "type" not in http.get("/v1/models/giude").json()
