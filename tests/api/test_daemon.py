"""The daemon as a process, with the embedded model: what no fake can show."""

import json
import os
import signal
import subprocess
import threading
from pathlib import Path

import httpx
import psutil
import pytest
from openai import OpenAI

from tests.conftest import RealDaemon, environment, running_daemon, serve_command

HI = {"messages": [{"role": "user", "content": "Hi"}]}
ENDLESS = HI | {"stream": True, "ignore_eos": True, "max_tokens": 1500}


@pytest.fixture
def http(real_daemon: RealDaemon) -> httpx.Client:
    return connect(real_daemon)


def connect(daemon: RealDaemon) -> httpx.Client:
    return httpx.Client(base_url=daemon.url, trust_env=False, timeout=30)


def test_the_embedded_model_answers_streamed_and_whole_alike(real_daemon: RealDaemon) -> None:
    question = {"model": "guide", "messages": HI["messages"], "temperature": 0, "max_tokens": 12}
    url = f"{real_daemon.url}/v1"
    with (
        httpx.Client(trust_env=False) as transport,
        OpenAI(base_url=url, api_key="none", http_client=transport) as client,
    ):
        whole = client.chat.completions.create(**question).choices[0].message.content
        stream = client.chat.completions.create(**question, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == whole
    assert whole


def test_a_prompt_that_does_not_fit_is_refused_with_both_numbers(http: httpx.Client) -> None:
    with http:
        response = http.post("/v1/completions", json={"prompt": [5] * 5000})
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (400, "context_length_exceeded")
        assert "5000" in error["message"]
        assert "2048" in error["message"]


def test_a_client_that_goes_away_frees_its_sequence(real_daemon: RealDaemon, http: httpx.Client) -> None:
    with http:
        with http.stream("POST", "/v1/chat/completions", json=ENDLESS) as response:
            lines = response.iter_lines()
            next(lines)
            assert real_daemon.client.status().num_running == 1
        real_daemon.wait_until(lambda: real_daemon.client.status().num_running == 0)


def test_the_daemon_is_small_and_idle_does_nothing(real_daemon: RealDaemon) -> None:
    process = psutil.Process(real_daemon.process.pid)
    assert process.memory_info().rss < 120 * 10**6
    assert real_daemon.client.is_healthy()
    before = process.num_ctx_switches().voluntary
    threading.Event().wait(1.0)  # the second over which idleness is measured, not a wait for something
    assert process.num_ctx_switches().voluntary - before < 5


def test_a_worker_that_is_killed_fails_its_requests_and_the_next_finds_a_fresh_one(tmp_path: Path) -> None:
    with running_daemon(tmp_path / "home") as daemon, connect(daemon) as http:
        daemon.wait_until(lambda: daemon.client.status().is_ready)
        with http.stream("POST", "/v1/chat/completions", json=ENDLESS) as response:
            lines = response.iter_lines()
            next(lines)
            for pid in daemon.worker_pids():
                os.kill(pid, signal.SIGKILL)
            assert json.loads(list(lines)[-2][6:])["error"]["code"] == "backend_error"
        daemon.wait_until(lambda: http.post("/v1/chat/completions", json=HI).status_code == 200)


def test_sigterm_lets_streams_finish_and_refuses_what_is_new(tmp_path: Path) -> None:
    with running_daemon(tmp_path / "home") as daemon, connect(daemon) as http:
        daemon.wait_until(lambda: daemon.client.status().is_ready)
        with http.stream("POST", "/v1/chat/completions", json=ENDLESS) as response:
            lines = response.iter_lines()
            next(lines)
            daemon.process.send_signal(signal.SIGTERM)
            daemon.wait_until(lambda: http.get("/ready").status_code == 503)
            refused = http.post("/v1/chat/completions", json=HI)
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "draining")
            assert refused.headers["retry-after"]
            assert list(lines)[-2] == "data: [DONE]"
        assert daemon.process.wait(20) == 0
        assert not (daemon.home / "run" / "local.key").exists()


def test_a_second_signal_does_not_wait_for_streams(tmp_path: Path) -> None:
    with running_daemon(tmp_path / "home", APPLIANCE_SERVER__DRAIN_TIMEOUT_S="3600") as daemon:
        daemon.wait_until(lambda: daemon.client.status().is_ready)
        with (
            connect(daemon) as http,
            http.stream("POST", "/v1/chat/completions", json=ENDLESS) as response,
        ):
            lines = response.iter_lines()
            next(lines)
            daemon.process.send_signal(signal.SIGTERM)
            daemon.wait_until(lambda: http.get("/ready").status_code == 503)
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.process.wait(20) == 0


def refusal(home: Path, *arguments: str, **settings: str) -> tuple[int, str]:
    command = serve_command(*arguments)
    result = subprocess.run(command, env=environment(home, **settings), capture_output=True, text=True, timeout=60)
    return result.returncode, result.stderr


def test_beyond_loopback_a_key_is_needed_and_the_way_to_one_is_said(tmp_path: Path) -> None:
    code, said = refusal(tmp_path, "--host", "0.0.0.0")
    assert (code, "appliance keys create NAME" in said) == (4, True)
    assert "Traceback" not in said


def test_a_busy_port_and_a_busy_home_are_one_sentence_each(real_daemon: RealDaemon, tmp_path: Path) -> None:
    port = real_daemon.url.rpartition(":")[2]
    code, said = refusal(tmp_path, "--port", port)
    assert (code, f"port {port} is in use" in said) == (1, True)
    code, said = refusal(real_daemon.home)
    assert (code, "belongs to a running daemon" in said) == (4, True)
    assert len(said.splitlines()) == 1


def test_an_unknown_model_to_preload_stops_the_start(tmp_path: Path) -> None:
    code, said = refusal(tmp_path, "--model", "giude")
    assert code == 4
    assert "did you mean 'guide'" in said


def test_with_a_key_the_machines_own_commands_find_theirs(tmp_path: Path) -> None:
    with running_daemon(tmp_path / "home") as daemon:
        key = daemon.client.create_key("ci").key
        assert daemon.client.status().home == str(daemon.home)
        answer = httpx.get(f"{daemon.url}/v1/models", headers={"x-api-key": key}, trust_env=False)
        assert json.loads(answer.content)["data"][0]["id"] == "guide"
        assert httpx.get(f"{daemon.url}/v1/models", trust_env=False).status_code == 401
