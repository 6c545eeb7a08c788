"""`POST /v1/completions`: one or many prompts, and the older shape of log-probabilities."""

import json
from typing import Any

import httpx
import pytest
from openai import OpenAI
from openai.types import Completion

from appliance.core.events import TokenLogprob, TopLogprob
from appliance.core.request import TextPrompt, TokenPrompt
from appliance.core.sampling import SamplingParams, StopConditions
from appliance.errors import QueueFull
from tests.api.conftest import Daemon
from tests.fakes import accepted, delta, finished


def test_a_completion_has_every_field_that_openai_publishes(http: httpx.Client, openai: OpenAI) -> None:
    body = http.post("/v1/completions", json={"prompt": "Hi"}).json()
    assert set(Completion.model_fields) <= set(body)
    assert body["choices"] == [{"index": 0, "text": "Hello wörld", "logprobs": None, "finish_reason": "stop"}]
    assert openai.completions.create(model="guide", prompt="Hi").choices[0].text == "Hello wörld"


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Hi", [TextPrompt(text="Hi")]),
        (["a", "b"], [TextPrompt(text="a"), TextPrompt(text="b")]),
        ([1, 2], [TokenPrompt(tokens=(1, 2))]),
        ([[1, 2], [3]], [TokenPrompt(tokens=(1, 2)), TokenPrompt(tokens=(3,))]),
    ],
)
def test_a_prompt_may_be_text_or_tokens_one_or_many(
    openai: OpenAI, daemon: Daemon, prompt: Any, expected: list[Any]
) -> None:
    answer = openai.completions.create(model="guide", prompt=prompt, n=2)
    assert [request.prompt for request, _ in daemon.scheduler.requests] == expected
    assert len({request.id for request, _ in daemon.scheduler.requests}) == len(expected)
    assert [choice.index for choice in answer.choices] == list(range(2 * len(expected)))
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 7 * len(expected)
    assert answer.usage.completion_tokens == 2 * 2 * len(expected)


def test_many_prompts_are_streamed_as_their_choices(openai: OpenAI, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda r: [delta(r, r.prompt.text), finished(r)]
    texts: dict[int, str] = {}
    with openai.completions.create(model="guide", prompt=["a", "b", "c"], stream=True) as stream:
        for chunk in stream:
            for choice in chunk.choices:
                texts[choice.index] = texts.get(choice.index, "") + choice.text
    assert texts == {0: "a", 1: "b", 2: "c"}


def test_a_call_of_which_one_prompt_is_refused_leaves_nothing_running(http: httpx.Client, daemon: Daemon) -> None:
    def refuse_the_next(request: Any) -> list[Any]:
        daemon.scheduler.refusal = QueueFull("full")
        return [accepted(request)]

    daemon.scheduler.script = refuse_the_next
    assert http.post("/v1/completions", json={"prompt": ["a", "b"]}).status_code == 429
    assert daemon.next_cancelled() == daemon.scheduler.last.id


def test_an_error_of_one_prompt_ends_the_call_and_frees_the_others(http: httpx.Client, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda r: [QueueFull("full")] if r.prompt == TextPrompt(text="b") else [accepted(r)]
    assert http.post("/v1/completions", json={"prompt": ["a", "b"]}).status_code == 429
    assert daemon.next_cancelled() == daemon.scheduler.requests[0][0].id


def test_logprobs_have_the_older_shape(http: httpx.Client, daemon: Daemon) -> None:
    first = TokenLogprob("Hé", "Hé".encode(), -0.5, (TopLogprob("Ho", b"Ho", -0.1),))
    second = TokenLogprob("llo", b"llo", -0.2, ())
    daemon.scheduler.script = lambda r: [
        delta(r, "Hé", logprobs=(first,)),
        delta(r, "llo", logprobs=(second,)),
        finished(r),
    ]
    wanted = {
        "tokens": ["Hé", "llo"],
        "token_logprobs": [-0.5, -0.2],
        "top_logprobs": [{"Ho": -0.1, "Hé": -0.5}, {"llo": -0.2}],
        "text_offset": [0, 2],
    }
    body = {"prompt": "Hi", "logprobs": 1}
    assert http.post("/v1/completions", json=body).json()["choices"][0]["logprobs"] == wanted
    assert daemon.scheduler.last.logprobs == 1
    streamed = http.post("/v1/completions", json=body | {"stream": True}).text
    chunks = [json.loads(line[6:]) for line in streamed.splitlines() if line.startswith("data: {")]
    assert [chunk["choices"][0]["logprobs"]["text_offset"] for chunk in chunks[:-1]] == [[0], [2]]


def test_every_parameter_reaches_the_engine(http: httpx.Client, daemon: Daemon) -> None:
    body = {
        "prompt": "Hi",
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "min_p": 0.05,
        "typical_p": 0.8,
        "repeat_penalty": 1.1,
        "presence_penalty": 0.2,
        "frequency_penalty": 0.3,
        "logit_bias": {"5": -100},
        "seed": -1,
        "stop": ["a", "b"],
        "max_tokens": 5,
        "ignore_eos": True,
        "cache_prompt": False,
        "priority": "batch",
        "deadline_s": 9,
        "user": "eva",
    }
    assert http.post("/v1/completions", json=body).status_code == 200
    request, caller = daemon.scheduler.requests[0]
    assert request.sampling == SamplingParams(
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        min_p=0.05,
        typical_p=0.8,
        repeat_penalty=1.1,
        presence_penalty=0.2,
        frequency_penalty=0.3,
        logit_bias={5: -100.0},
        seed=2**64 - 1,
    )
    assert request.stop == StopConditions(max_tokens=5, strings=("a", "b"), ignore_eos=True)
    assert (request.cache_prompt, request.priority, request.deadline_s) == (False, "batch", 9)
    assert (caller.id, caller.source, caller.scope) == ("local/eva", "user", "admin")


def test_openais_defaults_hold_where_the_caller_is_silent(http: httpx.Client, daemon: Daemon) -> None:
    http.post("/v1/completions", json={"prompt": "Hi", "top_k": -1})
    assert daemon.scheduler.last.sampling == SamplingParams()
    assert daemon.scheduler.last.stop == StopConditions(max_tokens=16)
    http.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "Hi"}]})
    assert daemon.scheduler.last.stop == StopConditions(max_tokens=None)
