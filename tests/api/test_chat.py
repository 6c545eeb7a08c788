"""`POST /v1/chat/completions` as the `openai` library sees it."""

import asyncio
import json
from typing import Any

import httpx
import openai as library
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from appliance.core.events import Timings, TokenLogprob, TopLogprob
from appliance.core.request import ChatPrompt, Message
from appliance.errors import (
    BackendError,
    ContextLengthExceeded,
    DoesNotFit,
    Draining,
    ModelLoading,
    QueueFull,
)
from tests.api.conftest import Daemon
from tests.fakes import accepted, delta, finished

HI: list[Any] = [{"role": "user", "content": "Hi"}]
BEGUN = [*HI, {"role": "assistant", "content": "Once upon"}]
HELLO = TokenLogprob(
    "Hello", b"Hello", -0.5, (TopLogprob("Hello", b"Hello", -0.5), TopLogprob("\ufffd", b"\xc3", -2.0))
)


def chunks_of(response: httpx.Response) -> list[dict[str, Any]]:
    events = [line[6:] for line in response.text.splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    return [json.loads(event) for event in events[:-1]]


def test_an_answer_has_every_field_that_openai_publishes(http: httpx.Client, openai: OpenAI) -> None:
    body = http.post("/v1/chat/completions", json={"messages": HI}).json()
    assert set(ChatCompletion.model_fields) <= set(body)
    ChatCompletion.model_validate(body, strict=True)
    choice, usage = body["choices"][0], body["usage"]
    assert set(ChatCompletion.model_fields["choices"].annotation.__args__[0].model_fields) <= set(choice)
    assert choice["message"] == {
        "role": "assistant",
        "content": "Hello wörld",
        "refusal": None,
        "annotations": [],
        "audio": None,
    }
    assert body["system_fingerprint"]
    assert (choice["finish_reason"], choice["logprobs"]) == ("stop", None)
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (7, 2, 9)
    assert usage["prompt_tokens_details"]["cached_tokens"] == 3
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 0
    answer = openai.chat.completions.create(model="guide", messages=HI)
    assert (answer.model, answer.object, answer.choices[0].message.content) == (
        "guide",
        "chat.completion",
        "Hello wörld",
    )


def test_a_request_without_a_model_means_the_default_one(http: httpx.Client, daemon: Daemon) -> None:
    for extra in ({}, {"model": None}, {"model": "GUIDE:latest"}):
        assert http.post("/v1/chat/completions", json={"messages": HI, **extra}).json()["model"] == "guide"
        assert daemon.scheduler.last.model == "guide"


def test_a_stream_speaks_role_then_text_then_reason(http: httpx.Client) -> None:
    response = http.post("/v1/chat/completions", json={"messages": HI, "stream": True})
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-accel-buffering"] == "no"
    chunks = chunks_of(response)
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "Hello"},
        {"content": " wörld"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, None, "stop"]
    optional = {"usage", "obfuscation"}
    assert all(set(ChatCompletionChunk.model_fields) - optional <= set(chunk) for chunk in chunks)
    assert all(ChatCompletionChunk.model_validate(chunk, strict=True) for chunk in chunks)
    assert not any("usage" in chunk for chunk in chunks)
    assert len({chunk["id"] for chunk in chunks}) == 1


def test_the_usage_chunk_has_no_choices_and_the_others_a_null(http: httpx.Client) -> None:
    body = {"messages": HI, "stream": True, "stream_options": {"include_usage": True}}
    *others, last = chunks_of(http.post("/v1/chat/completions", json=body))
    assert all(chunk["usage"] is None for chunk in others)
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == 9


def test_the_library_reads_n_streamed_answers(openai: OpenAI, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda r: [
        *(delta(r, "Hello", choice=choice) for choice in (2, 0, 1)),
        *(delta(r, " wörld", choice=choice) for choice in (2, 0, 1)),
        *(finished(r, choice=choice) for choice in (2, 0, 1)),
    ]
    texts = {0: "", 1: "", 2: ""}
    with openai.chat.completions.create(model="guide", messages=HI, n=3, stream=True) as stream:
        for chunk in stream:
            for choice in chunk.choices:
                texts[choice.index] += choice.delta.content or ""
    assert texts == dict.fromkeys(range(3), "Hello wörld")
    with openai.chat.completions.stream(model="guide", messages=HI, n=3) as helper:
        answer = helper.get_final_completion()
    assert [choice.message.content for choice in answer.choices] == ["Hello wörld"] * 3


def test_n_answers_count_the_prompt_once(openai: OpenAI) -> None:
    answer = openai.chat.completions.create(model="guide", messages=HI, n=2)
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (7, 4)


def test_the_async_library_streams(daemon: Daemon) -> None:
    async def ask() -> str:
        async with (
            httpx.AsyncClient(trust_env=False) as transport,
            AsyncOpenAI(base_url=f"{daemon.url}/v1", api_key="none", http_client=transport) as client,
        ):
            stream = await client.chat.completions.create(model="guide", messages=HI, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert asyncio.run(ask()) == "Hello wörld"


@pytest.mark.parametrize("stream", [False, True])
def test_logprobs_come_with_bytes_and_candidates(openai: OpenAI, daemon: Daemon, stream: bool) -> None:
    daemon.scheduler.script = lambda r: [accepted(r), delta(r, "Hello", logprobs=(HELLO,)), finished(r)]
    answer: Any = openai.chat.completions.create(
        model="guide", messages=HI, logprobs=True, top_logprobs=2, stream=stream
    )
    choices = [chunk.choices[0] for chunk in answer] if stream else answer.choices
    found = [token for choice in choices if choice.logprobs for token in choice.logprobs.content]
    assert [(token.token, token.logprob, token.bytes) for token in found] == [("Hello", -0.5, list(b"Hello"))]
    assert [(top.logprob, top.bytes) for top in found[0].top_logprobs] == [(-0.5, list(b"Hello")), (-2.0, [0xC3])]
    assert daemon.scheduler.last.logprobs == 2


def test_a_log_probability_of_minus_infinity_stays_json(openai: OpenAI, daemon: Daemon) -> None:
    impossible = TokenLogprob("x", b"x", float("-inf"), ())
    daemon.scheduler.script = lambda r: [delta(r, "x", logprobs=(impossible,)), finished(r)]
    answer = openai.chat.completions.create(model="guide", messages=HI, logprobs=True)
    assert answer.choices[0].logprobs is not None
    assert answer.choices[0].logprobs.content is not None
    assert answer.choices[0].logprobs.content[0].logprob == -9999


def test_timings_come_at_the_end_and_with_every_token_when_asked(http: httpx.Client, daemon: Daemon) -> None:
    timings = Timings(queue_s=0.0, prefill_s=0.2, decode_s=0.1)
    daemon.scheduler.script = lambda r: [accepted(r), delta(r, "a", timings=timings), delta(r, "b"), finished(r)]
    body = {"messages": HI, "stream": True, "timings_per_token": True}
    chunks = chunks_of(http.post("/v1/chat/completions", json=body))
    assert daemon.scheduler.last.timings_per_token
    assert [chunk.get("timings", {}).get("predicted_n") for chunk in chunks] == [None, 1, None, 2]
    last = chunks[-1]["timings"]
    assert last | {"prompt_n": 4, "cache_n": 3, "prompt_ms": 200.0, "queue_ms": 0.0} == last
    assert http.post("/v1/chat/completions", json={"messages": HI}).json()["timings"]["predicted_ms"] == 100.0


def test_text_that_is_not_decided_yet_makes_no_chunk(http: httpx.Client, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda r: [delta(r, ""), delta(r, "Hello"), finished(r)]
    chunks = chunks_of(http.post("/v1/chat/completions", json={"messages": HI, "stream": True}))
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks] == ["", "Hello", None]


@pytest.mark.parametrize(
    "text", ['"quoted"', "back\\slash", "line\nbreak", "\x00\x1f", "\u2028 😀", "data: [DONE]\n\n"]
)
def test_any_text_survives_the_stream(openai: OpenAI, daemon: Daemon, text: str) -> None:
    daemon.scheduler.script = lambda r: [delta(r, text), finished(r)]
    with openai.chat.completions.create(model="guide", messages=HI, stream=True) as stream:
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == text


def test_messages_of_every_kind_reach_the_engine(http: httpx.Client, daemon: Daemon) -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "name": "eva"},
        {"role": "assistant", "content": None},
        {"role": "tool", "content": "42", "tool_call_id": "x"},
    ]
    body = {"messages": messages, "chat_template_kwargs": {"style": "terse"}, "a_field_nobody_knows": {"x": [1]}}
    assert http.post("/v1/chat/completions", json=body).status_code == 200
    assert daemon.scheduler.last.prompt == ChatPrompt(
        messages=(
            Message(role="system", content="Be brief."),
            Message(role="user", content="a\nb", name="eva"),
            Message(role="assistant", content=""),
            Message(role="tool", content="42", tool_call_id="x"),
        ),
        template_kwargs={"style": "terse"},
    )


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("error", "kind", "status", "code"),
    [
        (QueueFull("256 requests wait", retry_after_s=3.2), library.RateLimitError, 429, "rate_limit_exceeded"),
        (DoesNotFit("too large"), library.InternalServerError, 503, "does_not_fit"),
        (Draining("stopping"), library.InternalServerError, 503, "draining"),
        (ModelLoading("failed lately", retry_after_s=7), library.InternalServerError, 503, "model_loading"),
    ],
)
def test_what_is_refused_at_once_keeps_its_status(
    openai: OpenAI, daemon: Daemon, error: Any, kind: type[library.APIStatusError], status: int, code: str, stream: bool
) -> None:
    daemon.scheduler.refusal = error
    with pytest.raises(kind) as caught:
        openai.chat.completions.create(model="guide", messages=HI, stream=stream)
    assert (caught.value.status_code, caught.value.code) == (status, code)
    assert caught.value.response.headers["retry-after"] == str({3.2: 4, 7: 7}.get(error.retry_after_s, 1))
    assert error.message in caught.value.message


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_before_the_first_token_keeps_its_status(openai: OpenAI, daemon: Daemon, stream: bool) -> None:
    error = ContextLengthExceeded("the prompt has 9000 tokens, the context 2048", param="messages")
    daemon.scheduler.script = lambda r: [accepted(r), error]
    with pytest.raises(library.BadRequestError) as caught:
        openai.chat.completions.create(model="guide", messages=HI, stream=stream)
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "messages")
    assert caught.value.type == "invalid_request_error"


def test_an_error_after_the_first_token_is_the_last_event(openai: OpenAI, http: httpx.Client, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda r: [delta(r, "Hello"), BackendError("the worker died")]
    response = http.post("/v1/chat/completions", json={"messages": HI, "stream": True})
    assert response.status_code == 200
    assert json.loads(response.text.split("data: ")[-1])["error"]["code"] == "backend_error"
    assert "[DONE]" not in response.text
    with (
        pytest.raises(library.APIError, match="the worker died"),
        openai.chat.completions.create(model="guide", messages=HI, stream=True) as stream,
    ):
        for _ in stream:
            pass


def test_an_unknown_model_is_named_with_its_nearest(openai: OpenAI) -> None:
    with pytest.raises(library.NotFoundError, match="did you mean 'guide'") as caught:
        openai.chat.completions.create(model="giude", messages=HI)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_what_is_attached_to_a_request_comes_back_and_the_tier_is_the_only_one(http: httpx.Client) -> None:
    body = {"messages": HI, "metadata": {"run": "7"}, "service_tier": "flex"}
    answer = http.post("/v1/chat/completions", json=body).json()
    assert (answer["metadata"], answer["service_tier"]) == ({"run": "7"}, "default")
    chunks = chunks_of(http.post("/v1/chat/completions", json=body | {"stream": True}))
    assert {chunk["service_tier"] for chunk in chunks} == {"default"}


def test_a_safety_identifier_names_the_user_as_user_did(http: httpx.Client, daemon: Daemon) -> None:
    http.post("/v1/chat/completions", json={"messages": HI, "safety_identifier": "a1b2"})
    assert daemon.scheduler.requests[0][1].id == "local/a1b2"


class TestContinuing:
    @pytest.mark.parametrize("extra", [{}, {"add_generation_prompt": False}])
    def test_the_last_message_is_continued_where_that_is_asked(
        self, http: httpx.Client, daemon: Daemon, extra: dict[str, bool]
    ) -> None:
        body = {"messages": BEGUN, "continue_final_message": True} | extra
        assert http.post("/v1/chat/completions", json=body).status_code == 200
        assert isinstance(daemon.scheduler.last.prompt, ChatPrompt)
        assert daemon.scheduler.last.prompt.continues_last

    def test_an_answer_is_a_turn_of_its_own_otherwise(self, http: httpx.Client, daemon: Daemon) -> None:
        http.post("/v1/chat/completions", json={"messages": BEGUN, "add_generation_prompt": True})
        assert isinstance(daemon.scheduler.last.prompt, ChatPrompt)
        assert not daemon.scheduler.last.prompt.continues_last
