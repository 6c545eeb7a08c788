"""The Responses API against the daemon as a process: real tokens, the prefix cache, and what a restart leaves."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import DefaultHttpxClient, OpenAI

from tests.api.responses import PATH, WEATHER, events_of
from tests.conftest import RealDaemon, running_daemon

ENDLESS: dict[str, Any] = {"input": "Hi", "background": True, "max_output_tokens": 1500}


@contextmanager
def client(daemon: RealDaemon) -> Iterator[OpenAI]:
    with (
        DefaultHttpxClient(trust_env=False) as transport,
        OpenAI(base_url=f"{daemon.url}/v1", api_key="none", http_client=transport, max_retries=0) as openai,
    ):
        yield openai


@pytest.fixture
def openai(real_daemon: RealDaemon) -> Iterator[OpenAI]:
    with client(real_daemon) as openai:
        yield openai


def test_a_stream_and_a_whole_answer_say_the_same(openai: OpenAI) -> None:
    ask: dict[str, Any] = {"model": "guide", "input": "Hi", "temperature": 0, "max_output_tokens": 12}
    whole = openai.responses.create(**ask)
    with openai.responses.create(**ask, stream=True) as stream:
        words = [event.delta for event in stream if event.type == "response.output_text.delta"]
    assert "".join(words) == whole.output_text != ""


def test_a_conversation_that_goes_on_finds_its_beginning_in_the_prefix_cache(openai: OpenAI) -> None:
    ask: dict[str, Any] = {"model": "guide", "instructions": "Answer in one word. " * 10, "max_output_tokens": 8}
    first = openai.responses.create(**ask, input="What is this machine called?")
    second = openai.responses.create(**ask, input="And its model?", previous_response_id=first.id)
    assert first.usage is not None
    assert second.usage is not None
    assert second.usage.input_tokens > first.usage.input_tokens
    assert second.usage.input_tokens_details.cached_tokens > first.usage.input_tokens // 2


@pytest.mark.parametrize("extra", [{}, {"instructions": "Be brief."}, {"tools": [WEATHER]}])
def test_a_count_is_what_a_response_is_charged(openai: OpenAI, extra: dict[str, Any]) -> None:
    ask: dict[str, Any] = {"model": "guide", "input": "Hi", **extra}
    counted = openai.responses.input_tokens.count(**ask).input_tokens
    usage = openai.responses.create(**ask, max_output_tokens=1).usage
    assert usage is not None
    assert usage.input_tokens == counted > 0


def test_turns_that_do_not_fit_are_left_out_when_asked_for(openai: OpenAI) -> None:
    turns: list[Any] = [{"role": "user", "content": f"{number} " + "word " * 150} for number in range(40)]
    response = openai.responses.create(model="guide", input=turns, truncation="auto", max_output_tokens=4)
    assert response.usage is not None
    assert 500 < response.usage.input_tokens < 2048


def test_a_background_response_outlives_its_client_and_is_followed_later(real_daemon: RealDaemon) -> None:
    with httpx.Client(base_url=real_daemon.url, trust_env=False, timeout=30) as http:
        body = {"input": "Hi", "background": True, "max_output_tokens": 40, "ignore_eos": True}
        with http.stream("POST", PATH, json=body | {"stream": True}) as response:
            line = next(line for line in response.iter_lines() if "resp_" in line)
        identity = line.partition('"id":"')[2].split('"')[0]
        events = events_of(http.get(f"{PATH}/{identity}?stream=true&starting_after=0").text)
    assert [event["sequence_number"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["response"]["usage"]["output_tokens"] == 40


def test_what_was_kept_is_there_after_a_restart_and_what_was_running_begins_again(tmp_path: Path) -> None:
    with running_daemon(tmp_path / "home") as daemon, client(daemon) as openai:
        daemon.wait_until(lambda: daemon.client.status().is_ready)
        kept = openai.responses.create(model="guide", input="Hi", max_output_tokens=4)
        running = openai.responses.create(**ENDLESS, extra_body={"ignore_eos": True})
        daemon.wait_until(lambda: openai.responses.retrieve(running.id).status == "in_progress")
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait(20)
    (daemon.home / "run" / "daemon.json").unlink()  # the address of the daemon that is gone
    with running_daemon(tmp_path / "home") as daemon, client(daemon) as openai:
        assert openai.responses.retrieve(kept.id).model_dump() == kept.model_dump()
        again = openai.responses.retrieve(running.id)
        assert (again.status in ("queued", "in_progress"), again.created_at) == (True, running.created_at)
        assert openai.responses.cancel(running.id).status == "cancelled"
        going_on = openai.responses.create(model="guide", input="More", previous_response_id=kept.id)
        assert going_on.status == "completed"
