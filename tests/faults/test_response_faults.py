"""A daemon killed under background responses: what was accepted is answered, under its own id."""

import time
from pathlib import Path

import httpx
from openai import OpenAI

from tests.conftest import RealDaemon, running_daemon

TIMEOUT_S = 120.0
NUM_RESPONSES = 8


def client_of(daemon: RealDaemon) -> OpenAI:
    return OpenAI(base_url=f"{daemon.url}/v1", api_key="none", max_retries=0, http_client=httpx.Client(trust_env=False))


def begin(daemon: RealDaemon, number: int) -> tuple[str, float]:
    with client_of(daemon) as openai:
        begun = openai.responses.create(
            model="guide", input=f"Count to {number}.", background=True, max_output_tokens=200
        )
    return begun.id, begun.created_at


def test_a_killed_daemon_answers_every_background_response(tmp_path: Path) -> None:
    begun: list[tuple[str, float]] = []
    for pause_s in (0.0, 0.5):
        with running_daemon(tmp_path) as daemon:
            begun += [begin(daemon, number) for number in range(NUM_RESPONSES // 2)]
            time.sleep(pause_s)
            daemon.process.kill()
        # The killed one could not take its address away, and the next one's is waited for
        (tmp_path / "run" / "daemon.json").unlink()
    with running_daemon(tmp_path) as daemon, client_of(daemon) as openai:
        ends_s = time.monotonic() + TIMEOUT_S
        for id, created_at in begun:
            while (found := openai.responses.retrieve(id)).status in ("queued", "in_progress"):
                assert time.monotonic() < ends_s
                time.sleep(0.1)
            assert (found.status in ("completed", "incomplete"), found.created_at) == (True, created_at)
            assert found.output_text
