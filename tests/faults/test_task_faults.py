"""A daemon killed under its tasks: what was accepted is answered, once as its caller sees it."""

import random
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import RealDaemon, running_daemon

NUM_TASKS = 20
TIMEOUT_S = 120.0


def http_of(daemon: RealDaemon) -> httpx.Client:
    return httpx.Client(base_url=daemon.url, trust_env=False, timeout=30)


def accept(daemon: RealDaemon, number: int) -> str:
    body = {"input_text": f"Count to {number}.", "max_length": 24, "mode": "async"}
    with http_of(daemon) as http:
        return str(http.post("/v1/inference", json=body).json()["task_id"])


def tasks_of(daemon: RealDaemon) -> dict[str, Any]:
    with http_of(daemon) as http:
        return {task["task_id"]: task for task in http.get("/v1/tasks?limit=100").json()["data"]}


def killed_again_and_again(home: Path, pauses_s: list[float]) -> None:
    accepted: list[str] = []
    done: dict[str, Any] = {}
    for pause_s in pauses_s:
        with running_daemon(home) as daemon:
            accepted += [accept(daemon, number) for number in range(NUM_TASKS // len(pauses_s))]
            time.sleep(pause_s)
            done |= {id: task for id, task in tasks_of(daemon).items() if task["status"] == "done"}
            daemon.process.kill()
        # The killed one could not take its address away, and the next one's is waited for
        (home / "run" / "daemon.json").unlink()
    with running_daemon(home) as daemon:
        ends_s = time.monotonic() + TIMEOUT_S
        while left := [task for task in tasks_of(daemon).values() if task["status"] != "done"]:
            assert time.monotonic() < ends_s, f"{left}\n{daemon.log.read_text()}"
            time.sleep(0.1)
        found = tasks_of(daemon)
    assert sorted(found) == sorted(accepted)
    assert {id: found[id]["result"] for id in done} == {id: task["result"] for id, task in done.items()}


def test_a_killed_daemon_answers_every_task_once(tmp_path: Path) -> None:
    killed_again_and_again(tmp_path, [0.1, 1.0])


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(20))
def test_a_daemon_killed_at_ten_moments_answers_every_task_once(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    killed_again_and_again(tmp_path, [chance.uniform(0, 2) for _ in range(10)])
