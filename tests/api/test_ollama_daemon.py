"""Ollama's API of a real daemon with the embedded model, at the port where its clients look."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from ollama import Client, ResponseError

from tests.conftest import RealDaemon, environment, running_daemon, serve_command

HI = [{"role": "user", "content": "Hi"}]
STILL = {"temperature": 0, "num_predict": 12}
GREETING = {"type": "object", "properties": {"greeting": {"enum": ["hello", "bye"]}}, "required": ["greeting"]}


def ollama_url(daemon: RealDaemon) -> str:
    """Return the second address that the daemon says it listens on."""
    daemon.wait_until(lambda: " listens on " in daemon.log.read_text())
    found = re.search(r"listens on \S+ and (http://\S+),", daemon.log.read_text())
    assert found is not None, daemon.log.read_text()
    return found[1]


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealDaemon]:
    with running_daemon(tmp_path_factory.mktemp("ollama") / "home", "--ollama-port", "0") as daemon:
        daemon.wait_until(lambda: daemon.client.status().is_ready)
        yield daemon


@pytest.fixture(scope="module")
def ollama(box: RealDaemon) -> Iterator[Client]:
    with Client(ollama_url(box), trust_env=False, timeout=60) as client:
        yield client


def test_the_embedded_model_says_the_same_in_every_way_of_asking(ollama: Client, box: RealDaemon) -> None:
    whole = ollama.chat("guide", HI, options=STILL).message.content
    parts = ollama.chat("guide", HI, options=STILL, stream=True)
    assert "".join(part.message.content or "" for part in parts) == whole
    assert ollama.generate("guide", "Hi", options=STILL).response == whole
    body = {"model": "guide:latest", "messages": HI, "temperature": 0, "max_tokens": 12}
    for url in (box.url, ollama_url(box)):
        answer = httpx.post(f"{url}/v1/chat/completions", json=body, trust_env=False, timeout=60).json()
        assert answer["choices"][0]["message"]["content"] == whole
    assert whole


def test_figures_are_counted_and_timed(ollama: Client) -> None:
    answer = ollama.generate("guide", "Count to ten.", options={"num_predict": 5, "temperature": 0})
    assert (answer.eval_count, answer.done_reason) == (5, "length")
    assert answer.prompt_eval_count and answer.eval_duration and answer.prompt_eval_duration
    assert (answer.total_duration or 0) >= answer.eval_duration


def test_a_context_goes_before_the_next_prompt(ollama: Client) -> None:
    first = ollama.generate("guide", "Hi", options=STILL)
    assert first.context is not None
    assert len(first.context) == (first.prompt_eval_count or 0) + (first.eval_count or 0)
    second = ollama.generate("guide", "And now?", context=first.context, options=STILL)
    alone = ollama.generate("guide", "And now?", options=STILL)
    assert second.prompt_eval_count == len(first.context) + (alone.prompt_eval_count or 0)
    assert list(second.context or [])[: len(first.context)] == list(first.context)


def test_a_raw_prompt_is_continued_and_has_no_context(ollama: Client) -> None:
    answer = ollama.generate("guide", "one two three", raw=True, options={"num_predict": 3, "temperature": 0})
    assert answer.response
    assert answer.context is None


def test_an_answer_has_the_form_that_was_asked_for(ollama: Client) -> None:
    answer = ollama.chat("guide", HI, format=GREETING, options={"seed": 1})
    assert json.loads(answer.message.content or "")["greeting"] in ("hello", "bye")


def test_a_vocabulary_without_the_tokens_for_it_fills_no_gap(ollama: Client) -> None:
    with pytest.raises(ResponseError, match="fill-in-the-middle") as caught:
        ollama.generate("guide", "def f(", suffix="): pass")
    assert caught.value.status_code == 400


def test_a_model_is_listed_while_it_is_in_memory(ollama: Client, box: RealDaemon) -> None:
    assert ollama.generate("guide", keep_alive="1h").done_reason == "load"
    (model,) = ollama.ps().models
    assert (model.name, model.context_length) == ("guide:latest", 2048)
    assert model.expires_at is not None
    assert ollama.generate("guide", keep_alive=0).done_reason == "unload"
    assert ollama.ps().models == []
    ollama.chat("guide", HI, options=STILL, keep_alive=0)
    box.wait_until(lambda: ollama.ps().models == [])
    assert ollama.chat("guide", HI, options=STILL).message.content


def test_a_model_of_ones_own_is_loaded_answers_and_goes(ollama: Client, box: RealDaemon) -> None:
    ollama.create("terse", from_="guide", system="Be brief.", parameters={"num_predict": 3, "temperature": 0})
    answer = ollama.chat("terse", HI)
    longer = ollama.chat("guide", HI, options={"num_predict": 3, "temperature": 0})
    assert answer.eval_count == 3
    assert (answer.prompt_eval_count or 0) > (longer.prompt_eval_count or 0)
    count = httpx.post(
        f"{ollama_url(box)}/v1/messages/count_tokens",
        json={"model": "terse", "messages": HI},
        trust_env=False,
        timeout=60,
    )
    assert count.json()["input_tokens"] == answer.prompt_eval_count
    assert "terse:latest" in [model.name for model in ollama.ps().models]
    assert ollama.delete("terse").status == "success"
    assert "terse:latest" not in [model.name for model in ollama.ps().models]


def test_the_second_port_keeps_the_rules_of_the_first(box: RealDaemon) -> None:
    url = ollama_url(box)
    chat = {"messages": HI, "stream": False}
    foreign = [{"host": "evil.example"}, {"origin": "https://evil.example"}, {"origin": "null"}]
    for headers in foreign:
        assert httpx.post(f"{url}/api/chat", json=chat, headers=headers, trust_env=False).status_code == 403
    for headers in (
        {"host": "host.docker.internal:11434"},
        {"origin": "app://obsidian.md"},
        {"origin": "tauri://localhost"},
    ):
        assert (
            httpx.post(f"{url}/api/show", json={"model": "guide"}, headers=headers, trust_env=False).status_code == 200
        )
    assert httpx.get(f"{url}/", trust_env=False).text == "Ollama is running"


def test_a_port_that_ollama_holds_is_one_sentence(box: RealDaemon, tmp_path: Path) -> None:
    port = ollama_url(box).rpartition(":")[2]
    command = serve_command("--ollama-port", port)
    result = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert f"port {port} is in use, most likely by Ollama itself" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_sigterm_lets_its_streams_finish_and_then_frees_its_port(tmp_path: Path) -> None:
    with running_daemon(tmp_path / "home", "--ollama-port", "0") as daemon:
        daemon.wait_until(lambda: daemon.client.status().is_ready)
        url = ollama_url(daemon)
        body = {"messages": HI, "options": {"num_predict": 300, "seed": 1}}
        with httpx.stream("POST", f"{url}/api/chat", json=body, trust_env=False, timeout=60) as response:
            lines = response.iter_lines()
            next(lines)
            daemon.process.send_signal(signal.SIGTERM)
            assert json.loads(list(lines)[-1])["done"]
        assert daemon.process.wait(20) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(url, trust_env=False)
