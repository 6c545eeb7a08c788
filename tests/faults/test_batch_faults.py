"""A daemon killed under a batch: every request is answered once in the end."""

import json
import random
import time
from pathlib import Path

import httpx
import pytest
from openai import OpenAI

from tests.conftest import RealDaemon, running_daemon

NUM_REQUESTS = 60
TIMEOUT_S = 120.0


def client_of(daemon: RealDaemon) -> OpenAI:
    return OpenAI(base_url=f"{daemon.url}/v1", api_key="none", max_retries=0, http_client=httpx.Client(trust_env=False))


def begin(daemon: RealDaemon) -> str:
    lines = [
        {
            "custom_id": str(number),
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"messages": [{"role": "user", "content": f"Count to {number}."}], "max_tokens": 16},
        }
        for number in range(NUM_REQUESTS)
    ]
    with client_of(daemon) as openai:
        file = openai.files.create(file=("in.jsonl", "\n".join(map(json.dumps, lines)).encode()), purpose="batch")
        return openai.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h").id


def is_over(daemon: RealDaemon, batch: str) -> bool:
    with client_of(daemon) as openai:
        return openai.batches.retrieve(batch).status == "completed"


def answered(daemon: RealDaemon, batch: str) -> list[str]:
    with client_of(daemon) as openai:
        found = openai.batches.retrieve(batch)
        assert found.output_file_id is not None and found.error_file_id is None
        text = openai.files.content(found.output_file_id).text
    return [json.loads(line)["custom_id"] for line in text.splitlines()]


def killed_again_and_again(home: Path, pauses_s: list[float]) -> None:
    batch = None
    for pause_s in pauses_s:
        with running_daemon(home) as daemon:
            batch = batch or begin(daemon)
            time.sleep(pause_s)
            daemon.process.kill()
        # The killed one could not take its address away, and the next one's is waited for
        (home / "run" / "daemon.json").unlink()
    with running_daemon(home) as daemon:
        assert batch is not None
        ends_s = time.monotonic() + TIMEOUT_S
        while not is_over(daemon, batch):
            assert time.monotonic() < ends_s, daemon.log.read_text()
            time.sleep(0.1)
        found = answered(daemon, batch)
    assert sorted(found, key=int) == [str(number) for number in range(NUM_REQUESTS)]


def test_a_killed_daemon_answers_every_request_once(tmp_path: Path) -> None:
    killed_again_and_again(tmp_path, [0.3, 1.5])


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(20))
def test_a_daemon_killed_at_ten_moments_answers_every_request_once(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    killed_again_and_again(tmp_path, [chance.uniform(0, 3) for _ in range(10)])
