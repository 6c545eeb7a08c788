"""`POST /v1/completions`: one or many prompts, and the older shape of log-probabilities."""

import json
from typing import Any

import httpx
import pytest
from openai import OpenAI
from openai.types import Completion

from appliance.core.events import PromptEcho, RequestEvent, TokenLogprob, TopLogprob
from appliance.core.request import FillPrompt, GenerateRequest, TextPrompt, TokenPrompt
from appliance.core.sampling import SamplingParams, StopConditions
from appliance.errors import QueueFull
from tests.api.conftest import Daemon
from tests.fakes import accepted, delta, finished


def test_a_completion_has_every_field_that_openai_publishes(http: httpx.Client, openai: OpenAI) -> None:
    body = http.post("/v1/completions", json={"prompt": "Hi"}).json()
    assert set(Completion.model_fields) <= set(body)
    Completion.model_validate(body, strict=True)
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


def token(text: str, logprob: float = -0.5) -> TokenLogprob:
    return TokenLogprob(text, text.encode(), logprob, ())


def echoing(request: GenerateRequest) -> list[RequestEvent]:
    """Repeats `Héllo` of the tokens `Hé` and `llo`, and goes on with ` you` unless no token is asked for."""
    scores = () if request.logprobs is None else (None, token("llo"))
    answers: list[RequestEvent] = []
    for choice in range(request.num_choices):
        if request.stop.max_tokens:
            logprobs = () if request.logprobs is None else (token(" you", -0.1),)
            answers.append(delta(request, " you", choice=choice, logprobs=logprobs))
        answers.append(finished(request, choice=choice, reason="length"))
    return [accepted(request), PromptEcho(id=request.id, text="Héllo", logprobs=scores), *answers]


class TestEcho:
    def test_the_prompt_comes_first(self, http: httpx.Client, daemon: Daemon) -> None:
        daemon.scheduler.script = echoing
        body = http.post("/v1/completions", json={"prompt": ["a", "b"], "n": 2, "echo": True}).json()
        assert daemon.scheduler.last.echoes_prompt
        assert [choice["text"] for choice in body["choices"]] == ["Héllo you"] * 4

    def test_its_first_token_follows_nothing_and_has_no_log_probability(
        self, http: httpx.Client, daemon: Daemon
    ) -> None:
        daemon.scheduler.script = echoing
        body = {"prompt": "Héllo", "echo": True, "logprobs": 1}
        assert http.post("/v1/completions", json=body).json()["choices"][0]["logprobs"] == {
            "tokens": ["Hé", "llo", " you"],
            "token_logprobs": [None, -0.5, -0.1],
            "top_logprobs": [None, {"llo": -0.5}, {" you": -0.1}],
            "text_offset": [0, 2, 5],
        }

    def test_tokens_of_half_a_character_and_special_ones_count_as_the_text_has_them(
        self, http: httpx.Client, daemon: Daemon
    ) -> None:
        halves = (TokenLogprob("\ufffd", b"\xc3", -1, ()), TokenLogprob("\ufffd", b"\xa9", -1, ()))
        scores = (None, *halves, TokenLogprob("<|sep|>", b"", -1, ()), token("b"))
        daemon.scheduler.script = lambda r: [
            PromptEcho(id=r.id, text="aé<|sep|>b", logprobs=scores),
            finished(r, reason="length"),
        ]
        body = {"prompt": "aé<|sep|>b", "echo": True, "logprobs": 0, "max_tokens": 0}
        logprobs = http.post("/v1/completions", json=body).json()["choices"][0]["logprobs"]
        assert logprobs["tokens"][0] == "a"
        assert logprobs["text_offset"] == [0, 1, 2, 2, 9]

    def test_a_prompt_can_be_scored_without_an_answer(self, http: httpx.Client, daemon: Daemon) -> None:
        daemon.scheduler.script = echoing
        body = {"prompt": "Héllo", "echo": True, "logprobs": 1, "max_tokens": 0}
        choice = http.post("/v1/completions", json=body).json()["choices"][0]
        assert (choice["text"], choice["finish_reason"]) == ("Héllo", "length")
        assert choice["logprobs"]["token_logprobs"] == [None, -0.5]
        assert daemon.scheduler.last.stop.max_tokens == 0

    def test_a_stream_begins_with_it_in_every_choice(self, http: httpx.Client, daemon: Daemon) -> None:
        daemon.scheduler.script = echoing
        body = {"prompt": ["a", "b"], "n": 2, "echo": True, "logprobs": 0, "stream": True}
        texts: dict[int, list[str]] = {}
        offsets: dict[int, list[int]] = {}
        for choice in streamed(http, body):
            texts.setdefault(choice["index"], []).append(choice["text"])
            offsets.setdefault(choice["index"], []).extend((choice["logprobs"] or {}).get("text_offset", []))
        assert texts == {index: ["Héllo", " you", ""] for index in range(4)}
        assert offsets == {index: [0, 2, 5] for index in range(4)}


def streamed(http: httpx.Client, body: dict[str, Any]) -> list[dict[str, Any]]:
    lines = http.post("/v1/completions", json=body).text.splitlines()
    return [choice for line in lines if line.startswith("data: {") for choice in json.loads(line[6:])["choices"]]


class TestSuffix:
    def test_each_prompt_is_the_text_before_the_gap(self, openai: OpenAI, daemon: Daemon) -> None:
        openai.completions.create(model="guide", prompt=["a(", "b("], suffix=")")
        prompts = [request.prompt for request, _ in daemon.scheduler.requests]
        assert prompts == [FillPrompt(prefix="a(", suffix=")"), FillPrompt(prefix="b(", suffix=")")]

    def test_an_empty_one_is_none(self, openai: OpenAI, daemon: Daemon) -> None:
        openai.completions.create(model="guide", prompt="a", suffix="")
        assert daemon.scheduler.last.prompt == TextPrompt(text="a")


class TestBestOf:
    def script(self, request: GenerateRequest) -> list[RequestEvent]:
        """Candidate `c` of four has the mean log-probability -3, -1, -2, unknown."""
        ends = [(2, -6.0), (4, -4.0), (1, -2.0), (1, None)]
        answers: list[RequestEvent] = []
        for choice, (num_tokens, total) in enumerate(ends):
            answers += [
                delta(request, f"{request.prompt.text}{choice}", choice=choice, logprobs=(token("x"),)),
                finished(request, choice=choice, completion_tokens=num_tokens, sum_logprob=total),
            ]
        return answers

    def test_the_likeliest_per_token_are_answered_the_best_first(self, http: httpx.Client, daemon: Daemon) -> None:
        daemon.scheduler.script = self.script
        body = http.post("/v1/completions", json={"prompt": ["a", "b"], "n": 2, "best_of": 4}).json()
        assert [(choice["index"], choice["text"]) for choice in body["choices"]] == [
            *((0, "a1"), (1, "a2")),
            *((2, "b1"), (3, "b2")),
        ]
        assert {choice["logprobs"] for choice in body["choices"]} == {None}
        assert body["usage"]["completion_tokens"] == 2 * (2 + 4 + 1 + 1)
        assert (daemon.scheduler.last.num_choices, daemon.scheduler.last.logprobs) == (4, 0)

    def test_log_probabilities_are_shown_to_those_who_asked(self, http: httpx.Client, daemon: Daemon) -> None:
        daemon.scheduler.script = self.script
        body = {"prompt": "a", "best_of": 4, "logprobs": 2}
        (choice,) = http.post("/v1/completions", json=body).json()["choices"]
        assert (choice["text"], choice["logprobs"]["tokens"]) == ("a1", ["x"])
        assert daemon.scheduler.last.logprobs == 2

    def test_as_many_as_are_answered_may_be_streamed(self, http: httpx.Client, daemon: Daemon) -> None:
        body = {"prompt": "a", "n": 2, "best_of": 2, "stream": True}
        assert http.post("/v1/completions", json=body).status_code == 200
        assert (daemon.scheduler.last.num_choices, daemon.scheduler.last.logprobs) == (2, None)
