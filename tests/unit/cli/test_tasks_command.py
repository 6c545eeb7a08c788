"""`appliance tasks` and `appliance feedback`, and how `appliance jobs` tells of a batch."""

import pytest

from appliance.cli.jobs import _progress
from appliance.client.tasks import TaskNotification, TaskPrediction, TaskProblem, TaskResult, TaskView
from appliance.core.feedback import Feedback, FeedbackExport
from appliance.core.jobs import Job, JobId, JobProgress

from .conftest import Command
from .fake_daemon import FakeDaemon

DONE = TaskView(
    task_id="task-1",
    status="done",
    model="guide",
    created_at=0.0,
    started_at=1.0,
    ended_at=66.0,
    num_tries=2,
    result=TaskResult(predictions=[TaskPrediction(text="Ro\x1bme", confidence=0.5)]),
    error=TaskProblem(message="the worker died"),
    notifications=[
        TaskNotification(kind="ntfy", address="https://a.example/t", status="given_up", reason="status 410")
    ],
)


def test_the_tasks_are_listed(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", "/v1/tasks?limit=100", {"data": [DONE]})
    assert appliance("tasks", "list").out.splitlines()[1].split()[:4] == ["task-1", "guide", "done", "2"]
    daemon.reply("GET", "/v1/tasks?limit=100&status=failed", {"data": []})
    assert appliance("tasks", "list", "--state", "failed").out == "no task is failed\n"


def test_a_task_is_shown_with_its_answer_and_who_was_told(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", "/v1/tasks/task-1", DONE)
    out = appliance("tasks", "show", "task-1").out
    assert "the worker died" in out and "ntfy https://a.example/t given up: status 410" in out
    assert "Ro" in out and "\x1b" not in out


@pytest.mark.parametrize(("verb", "method", "path"), [("cancel", "DELETE", ""), ("retry", "POST", "/retry")])
def test_a_task_is_cancelled_and_tried_again(
    appliance: Command, daemon: FakeDaemon, verb: str, method: str, path: str
) -> None:
    daemon.reply(method, f"/v1/tasks/task-1{path}", DONE)
    assert appliance("tasks", verb, "task-1").out == "task-1 is done\n"


def test_feedback_is_exported_part_by_part(appliance: Command, daemon: FakeDaemon) -> None:
    first, second = (
        Feedback(response_id=id, owner="ada", score=1.0, comment=None, tags=(), created_s=0.0) for id in "ab"
    )
    daemon.reply("GET", "/admin/v1/feedback?after=0", FeedbackExport(feedback=(first,), next=7))
    daemon.reply("GET", "/admin/v1/feedback?after=7", FeedbackExport(feedback=(second,), next=None))
    lines = appliance("feedback", "export").out.splitlines()
    assert [line.count('"response_id"') for line in lines] == [1, 1]


@pytest.mark.parametrize(
    ("state", "ended_s", "says"),
    [
        ("running", None, "asking, 412 of 1000 requests, 3 failed"),
        ("done", 9.0, "412 of 1000 requests, 3 failed, took 8"),
    ],
)
def test_a_batch_says_how_many_of_its_requests_are_done(state: str, ended_s: float | None, says: str) -> None:
    progress = JobProgress(text="asking", done=412, total=1000, unit="requests", num_failed=3)
    batch = Job(
        id=JobId("job-1"),
        kind="batch",
        arguments={"batch": "batch_1"},
        caller="ada",
        created_s=0.0,
        state="done" if state == "done" else "running",
        progress=progress,
        started_s=1.0,
        ended_s=ended_s,
    )
    assert _progress(batch).startswith(says)
