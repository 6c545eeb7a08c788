"""The response cache as HTTP shows it, with the real daemon's parts over a fake scheduler."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from openai import OpenAI

from appliance.client import Client
from appliance.settings import CacheSettings
from tests.api.conftest import PATIENT, Daemon, served

QUESTION = {"messages": [{"role": "user", "content": "hello"}], "temperature": 0}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with served(tmp_path, PATIENT, cache=CacheSettings()) as daemon:
        yield daemon


@pytest.fixture
def http(daemon: Daemon) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=daemon.url, trust_env=False) as http:
        yield http


def ask(http: httpx.Client, headers: dict[str, str] | None = None, **fields: object) -> httpx.Response:
    return http.post("/v1/chat/completions", json=QUESTION | fields, headers=headers)


def test_the_second_answer_is_the_first_with_an_age(http: httpx.Client, daemon: Daemon) -> None:
    first, again = ask(http), ask(http)
    assert (first.headers["x-cache"], again.headers["x-cache"]) == ("miss", "hit")
    assert "age" not in first.headers and again.headers["age"] == "0"
    assert again.json()["choices"] == first.json()["choices"]
    assert again.json()["id"] != first.json()["id"]
    usage = again.json()["usage"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == usage["prompt_tokens"]
    assert len(daemon.scheduler.requests) == 1


def test_a_stream_is_answered_from_what_was_answered_whole_and_the_other_way_round(
    http: httpx.Client, daemon: Daemon
) -> None:
    whole = ask(http).json()["choices"][0]["message"]["content"]
    with http.stream("POST", "/v1/chat/completions", json=QUESTION | {"stream": True}) as stream:
        assert stream.headers["x-cache"] == "hit"
        body = stream.read().decode()
    client = OpenAI(base_url=f"{daemon.url}/v1", api_key="none", max_retries=0)
    chunks = client.chat.completions.create(model="guide", stream=True, **QUESTION)  # type: ignore[call-overload]  # the fields are a dict
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == whole
    assert body.count("data: ") > 3


def test_whoever_has_the_answer_already_gets_no_second_copy(http: httpx.Client) -> None:
    tag = ask(http).headers["etag"]
    again = ask(http, {"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert ask(http, {"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    ("control", "outcome"),
    [("no-store", "bypass"), ("no-cache", "miss"), ("max-age=0", "miss"), ("max-age=60", "hit"), ("private", "hit")],
)
def test_cache_control_is_obeyed(http: httpx.Client, control: str, outcome: str) -> None:
    ask(http)
    assert ask(http, {"Cache-Control": control}).headers["x-cache"] == outcome


def test_what_is_not_known_is_not_computed_for_only_if_cached(http: httpx.Client, daemon: Daemon) -> None:
    response = ask(http, {"Cache-Control": "only-if-cached"})
    assert (response.status_code, response.json()["error"]["code"]) == (504, "not_cached")
    assert daemon.scheduler.requests == []


def test_a_nonsensical_age_is_refused(http: httpx.Client) -> None:
    response = ask(http, {"Cache-Control": "max-age=soon"})
    assert response.status_code == 400
    assert "max-age=soon" in response.json()["error"]["message"]


def test_the_body_may_say_what_is_cached(http: httpx.Client) -> None:
    warm = {"temperature": 1, "cache": {"mode": "force"}}
    assert [ask(http, **warm).headers["x-cache"] for _ in range(2)] == ["miss", "hit"]
    assert ask(http, cache={"mode": "off"}).headers["x-cache"] == "bypass"
    assert ask(http, temperature=1).headers["x-cache"] == "bypass"
    assert ask(http, cache={"mode": "sometimes"}).status_code == 400


def test_prompts_of_one_completion_are_known_one_by_one(http: httpx.Client, daemon: Daemon) -> None:
    def complete(*prompts: str) -> httpx.Response:
        return http.post("/v1/completions", json={"prompt": list(prompts), "temperature": 0})

    complete("a")
    both = complete("a", "b")
    assert both.headers["x-cache"] == "miss" and len(both.json()["choices"]) == 2
    assert complete("b", "a").headers["x-cache"] == "hit"
    assert len(daemon.scheduler.requests) == 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messages", {"model": "guide", "max_tokens": 9, "temperature": 0, "messages": QUESTION["messages"]}),
        ("/api/chat", {"model": "guide", "stream": False, "options": {"temperature": 0}, **QUESTION}),
        ("/v1/responses", {"model": "guide", "input": "hello", "temperature": 0}),
    ],
)
def test_every_dialect_is_answered_from_it(
    http: httpx.Client, daemon: Daemon, path: str, body: dict[str, object]
) -> None:
    answers = [http.post(path, json=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(daemon.scheduler.requests) == 1


def test_operators_see_its_figures_and_can_empty_it(http: httpx.Client, daemon: Daemon) -> None:
    client = Client(daemon.url)
    for _ in range(3):
        ask(http)
    figures = client.response_cache()
    assert (figures.num_hits, figures.num_misses, figures.num_entries) == (2, 1, 1)
    assert client.clear_response_cache().num_entries == 1
    assert ask(http).headers["x-cache"] == "miss"
