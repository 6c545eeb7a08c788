"""A daemon killed between the end of a piece of work and its telling: whoever waits is told, under the same id."""

import base64
import json
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import RealDaemon, running_daemon
from tests.receiver import Receiver, receiving

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


def settings_of(receiver: Receiver) -> dict[str, str]:
    return {
        "APPLIANCE_NOTIFY__ALLOWED_ADDRESSES": receiver.url,
        "APPLIANCE_NOTIFY__WEBHOOK_SECRET": SECRET,
    }


def http_of(daemon: RealDaemon) -> httpx.Client:
    return httpx.Client(base_url=daemon.url, trust_env=False, timeout=30)


def ids_of(receiver: Receiver, *, num_tasks: int) -> dict[str, set[str]]:
    """Wait until so many tasks are told, and return the ids of the webhooks of each."""
    found: dict[str, set[str]] = {}
    while len(found) < num_tasks:
        _, headers, body = receiver.next()
        found.setdefault(json.loads(body)["data"]["task_id"], set()).add(headers["webhook-id"])
    return found


def test_after_a_kill_every_end_is_told_under_the_id_that_it_had(tmp_path: Path) -> None:
    with receiving() as receiver:
        receiver.statuses = {"/": [503] * 3}
        body = {"input_text": "Hi", "max_length": 2, "mode": "async", "notify": {"webhook": receiver.url}}
        with running_daemon(tmp_path, **settings_of(receiver)) as daemon, http_of(daemon) as http:
            accepted = [http.post("/v1/inference", json=body).json()["task_id"] for _ in range(3)]
            before = ids_of(receiver, num_tasks=3)
            daemon.process.kill()
        (tmp_path / "run" / "daemon.json").unlink()
        with running_daemon(tmp_path, **settings_of(receiver)) as daemon, http_of(daemon) as http:
            after = ids_of(receiver, num_tasks=3)
            found = [http.get(f"/v1/tasks/{id}").json() for id in accepted]
    assert sorted(before) == sorted(accepted)
    assert after == before and all(len(ids) == 1 for ids in after.values())
    assert all(task["status"] == "done" for task in found)


def test_a_batch_tells_its_end_and_keeps_its_metadata(tmp_path: Path) -> None:
    with (
        receiving() as receiver,
        running_daemon(tmp_path, **settings_of(receiver)) as daemon,
        http_of(daemon) as http,
    ):
        body: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
        line = json.dumps({"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body})
        file = http.post("/v1/files", files={"file": ("in.jsonl", line)}, data={"purpose": "batch"}).json()
        order = {"input_file_id": file["id"], "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        refused = http.post("/v1/batches", json=order | {"notify": {"webhook": "https://elsewhere.example/"}})
        asked = order | {"metadata": {"a": "b"}, "notify": {"webhook": f"{receiver.url}/batch"}}
        batch = http.post("/v1/batches", json=asked).json()
        path, _, told = receiver.next()
        without = http.post("/v1/batches", json=order).json()
    news = json.loads(told)
    assert refused.status_code == 400
    assert (batch["metadata"], batch["notifications"][0]["status"]) == ({"a": "b"}, "pending")
    assert (path, news["type"], news["data"]["id"]) == ("/batch", "batch.completed", batch["id"])
    assert news["data"]["request_counts"]["completed"] == 1
    assert "notifications" not in without
