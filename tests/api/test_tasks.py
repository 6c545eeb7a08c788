"""`/v1/inference` and `/v1/tasks` over a fake scheduler, and once with the embedded model."""

import json
from typing import Any

import httpx
import pytest

from appliance.core.tasks import Task
from appliance.errors import InvalidRequest, QueueFull, StorageError
from appliance.jobs.tasks import tasks
from appliance.jobs.tasks.table import TaskTable
from tests.api.conftest import Daemon
from tests.conftest import RealDaemon
from tests.fakes import accepted, delta, finished

QUESTION = {"input_text": "Name a city.", "max_length": 16, "temperature": 0}


def infer(http: httpx.Client, **fields: Any) -> httpx.Response:
    return http.post("/v1/inference", json=QUESTION | fields)


def end_of(http: httpx.Client, task_id: str) -> dict[str, Any]:
    """Follow a task to its end."""
    with http.stream("GET", f"/v1/tasks/{task_id}/events") as stream:
        lines = [line for line in stream.iter_lines() if line.startswith("data: ")]
    last: dict[str, Any] = json.loads(lines[-1][6:])
    return last


def test_a_short_question_is_answered_at_once(http: httpx.Client, daemon: Daemon) -> None:
    response = infer(http, system="Be brief.", stop=["\n"], seed=3)
    answer = response.json()
    assert (response.status_code, len(answer["predictions"])) == (200, 1)
    assert answer["predictions"][0]["text"]
    assert answer["usage"]["total_tokens"] == answer["usage"]["prompt_tokens"] + answer["usage"]["completion_tokens"]
    request = daemon.scheduler.last
    assert (request.stop.max_tokens, request.stop.strings, request.sampling.seed) == (16, ("\n",), 3)
    assert request.priority == "normal"


def test_an_answer_that_may_wait_is_a_task(http: httpx.Client, daemon: Daemon) -> None:
    response = infer(http, mode="async")
    task = response.json()
    assert (response.status_code, task["status"] in ("queued", "running")) == (202, True)
    assert response.headers["location"] == f"/v1/tasks/{task['task_id']}"
    ended = end_of(http, task["task_id"])
    assert ended["status"] == "done" and ended["result"]["predictions"][0]["text"]
    assert http.get(response.headers["location"]).json() == ended
    assert daemon.scheduler.last.priority == "batch"


@pytest.mark.parametrize("state", ["running", "done"])
def test_a_disk_that_fails_for_a_while_costs_no_task(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    save, failures = TaskTable.save, [StorageError("the disk is full")]

    def fail_once(table: TaskTable, task: Task, *rest: Any) -> None:
        if task.state == state and failures:
            raise failures.pop()
        save(table, task, *rest)

    monkeypatch.setattr(tasks, "STORAGE_PAUSE_S", 0.01)
    monkeypatch.setattr(TaskTable, "save", fail_once)
    task = infer(http, mode="async").json()
    assert end_of(http, task["task_id"])["status"] == "done" and not failures


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"mode": "auto"}, 200),
        ({"mode": "auto", "max_length": 4000}, 202),
        ({"mode": "auto", "input_text": "x" * 9000}, 202),
    ],
)
def test_left_to_us_long_work_is_a_task(http: httpx.Client, fields: dict[str, Any], status: int) -> None:
    assert infer(http, **fields).status_code == status


@pytest.mark.parametrize(
    "fields", [{"input_text": ""}, {"max_length": 0}, {"temperature": 9}, {"mode": "later"}, {"model": "nobody"}]
)
def test_what_is_wrong_is_said_before_a_task_is_accepted(http: httpx.Client, fields: dict[str, Any]) -> None:
    response = infer(http, **({"mode": "async"} | fields))
    assert response.status_code in (400, 404)
    assert http.get("/v1/tasks").json()["data"] == []


def test_a_task_that_can_never_succeed_has_failed_and_says_why(http: httpx.Client, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda request: [InvalidRequest("the prompt is too long")]
    task = end_of(http, infer(http, mode="async").json()["task_id"])
    assert (task["status"], task["error"]["message"]) == ("failed", "the prompt is too long")
    assert [each["task_id"] for each in http.get("/v1/tasks?status=failed").json()["data"]] == [task["task_id"]]
    daemon.scheduler.script = lambda request: [accepted(request), delta(request, "Rome"), finished(request)]
    assert http.post(f"/v1/tasks/{task['task_id']}/retry").status_code == 200
    assert end_of(http, task["task_id"])["result"]["predictions"][0]["text"] == "Rome"


def test_what_may_pass_is_tried_again(http: httpx.Client, daemon: Daemon) -> None:
    daemon.scheduler.refusal = QueueFull("the queue is full", retry_after_s=0.05)
    task = end_of(http, infer(http, mode="async").json()["task_id"])
    assert (task["status"], task["num_tries"]) == ("done", 2)


def test_a_cancelled_task_frees_its_place(http: httpx.Client, daemon: Daemon) -> None:
    daemon.scheduler.script = lambda request: [accepted(request)]
    task_id = infer(http, mode="async").json()["task_id"]
    daemon.next_submitted()
    assert http.delete(f"/v1/tasks/{task_id}").json()["status"] == "cancelled"
    daemon.next_cancelled()
    assert http.get(f"/v1/tasks/{task_id}").json()["status"] == "cancelled"
    assert http.delete(f"/v1/tasks/{task_id}").status_code == 409


def test_tasks_come_in_pages_the_newest_first(http: httpx.Client) -> None:
    ids = [infer(http, mode="async").json()["task_id"] for _ in range(3)]
    page = http.get("/v1/tasks?limit=2").json()
    assert ([task["task_id"] for task in page["data"]], page["has_more"]) == (ids[:0:-1], True)
    rest = http.get(f"/v1/tasks?after={ids[1]}").json()
    assert ([task["task_id"] for task in rest["data"]], rest["has_more"]) == (ids[:1], False)


def test_nobody_sees_the_tasks_of_others(http: httpx.Client, daemon: Daemon) -> None:
    ada, bob = ({"Authorization": f"Bearer {daemon.parts.keys.create(name, 'use').key}"} for name in ("ada", "bob"))
    task_id = http.post("/v1/inference", json=QUESTION | {"mode": "async", "user": "ann"}, headers=ada).json()[
        "task_id"
    ]
    assert http.get(f"/v1/tasks/{task_id}", headers=ada).status_code == 200
    assert http.get(f"/v1/tasks/{task_id}", headers=bob).status_code == 404
    assert http.get("/v1/tasks", headers=bob).json()["data"] == []
    assert daemon.scheduler.requests[-1][1].id == "ada/ann"


def test_a_real_answer_has_a_confidence(real_daemon: RealDaemon) -> None:
    with httpx.Client(base_url=real_daemon.url, trust_env=False, timeout=60) as http:
        sure = infer(http, input_text="How do I list the models?").json()
        guessed = infer(http, input_text="blorp zxq, or elephants of glass?").json()
    assert 0 < guessed["confidence"] < sure["confidence"] <= 1
