"""The place of long work."""

from typing import Any

import pytest
from textual.pilot import Pilot

from appliance.client.tasks import TaskPrediction, TaskProblem, TaskResult, TaskView
from appliance.core.admin import ModelLoss
from appliance.core.jobs import Job, JobError, JobId, JobList, JobProgress
from appliance.core.quantized import Comparison, MeasuredType
from tests.tui.conftest import NOW_S, SIZES, Drive, at_rest, driven, seen, until, until_seen
from tests.unit.cli.fake_daemon import FakeDaemon
from tui.app import Terminal
from tui.widgets.table import Table

JOBS, TASKS = "/admin/v1/jobs", "/v1/tasks?limit=100"


def job(id: str, kind: str, age_s: float, **changes: Any) -> Job:
    known: dict[str, Any] = {"arguments": {"model": "hub/qwen3"}, "caller": "laptop", "started_s": NOW_S - age_s + 1}
    return Job(id=JobId(f"job-{id}"), kind=kind, created_s=NOW_S - age_s, **known | changes)


def task(id: str, status: Any, age_s: float, **changes: Any) -> TaskView:
    known: dict[str, Any] = {"started_at": None, "ended_at": None, "num_tries": 0, "result": None, "error": None}
    known |= {"notifications": []}
    return TaskView(task_id=f"task-{id}", status=status, model="guide", created_at=NOW_S - age_s, **known | changes)


MEASURED = Comparison(
    model="qwen3",
    rows=(
        MeasuredType(type="F16", size_bytes=2**30, decode_tokens_per_s=10.0),
        MeasuredType(type="Q4_K_M", size_bytes=2**28, quality=ModelLoss(num_samples=9, loss_ratio=0.02)),
    ),
    recommended="Q4_K_M",
    reason="take Q4_K_M: it loses 2.0% and is the smallest of those",
    num_threads=1,
)
BYTES = JobProgress(text="qwen3.gguf", done=6e8, total=1e9, unit="bytes", rate=4e6)
RUNNING = job("1", "pull", 90, state="running", progress=BYTES)
FAILED = job(
    "3",
    "convert",
    4000,
    state="failed",
    ended_s=NOW_S - 3990,
    error=JobError(message="a shape of [2, 3] is not known", log=("reading", "Traceback of the child")),
)


@pytest.fixture
def working_box(fake_box: FakeDaemon) -> FakeDaemon:
    batch = JobProgress(text="asking", done=120, total=400, unit="requests", num_failed=2)
    jobs = (
        RUNNING,
        job("2", "batch", 600, state="paused", progress=batch, arguments={"batch": "batch_7"}),
        FAILED,
        job("4", "evaluate", 9000, state="done", ended_s=NOW_S - 8900, result={"comparison": MEASURED}),
        job("5", "calibrate", 30, started_s=None, caller=""),
    )
    answer = TaskResult(predictions=[TaskPrediction(text="[b]forty-two[/b]", confidence=None)])
    tasks = [
        task("a", "failed", 120, num_tries=3, error=TaskProblem(message="the context is too short")),
        task("b", "done", 700, started_at=NOW_S - 650, ended_at=NOW_S - 648, result=answer),
    ]
    fake_box.reply("GET", JOBS, JobList(jobs=jobs))
    fake_box.reply("GET", TASKS, {"data": tasks})
    return fake_box


async def choose(pilot: Pilot[Any], key: str) -> None:
    """Go to the jobs and put the cursor on one."""
    pilot.app.action_go("jobs")  # type: ignore[attr-defined]  # it is a Terminal
    await until(pilot, lambda: key in [row.key for row in pilot.app.screen.query_one(Table).items])
    pilot.app.screen.query_one(Table).go_to(key)
    await until(pilot, lambda: pilot.app.screen.query_one(Table).chosen == key)


@pytest.mark.parametrize("size", SIZES)
def test_it_looks_as_it_did(working_box: FakeDaemon, fake_terminal: Terminal, snap_compare: Any, size: str) -> None:
    async def go(pilot: Pilot[Any]) -> None:
        pilot.app.action_go("jobs")
        await at_rest("7 of 7", "job-5", "box.local" if size == "160x48" else "●")(pilot)

    assert snap_compare(fake_terminal, terminal_size=SIZES[size], run_before=go)


def test_progress_rate_and_the_time_left_are_shown(working_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        await choose(pilot, "job-1")
        await until_seen(pilot, "60 %", "2 min", "572.2 MiB / 953.7 MiB", "3.8 MiB/s")

    driven(fake_terminal, script)


def test_a_state_and_a_filter_choose_what_is_shown(working_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        pilot.app.action_go("jobs")
        await until_seen(pilot, "7 of 7")
        await pilot.press("s")
        await until_seen(pilot, "state: open", "3 of 7")
        await pilot.press("s", "s")
        await until_seen(pilot, "state: failed", "2 of 7")
        await pilot.press("slash", *"conv", "enter")
        await until_seen(pilot, "1 of 7")
        await pilot.press("slash", *"xyz", "enter")
        await until_seen(pilot, "0 of 7", "Nothing of the kind. Esc shows all.")
        await pilot.press("escape")
        await until_seen(pilot, "7 of 7", "state: all")

    driven(fake_terminal, script)


def test_details_of_a_failure_have_its_reason_and_the_lines_of_its_process(
    working_box: FakeDaemon, fake_terminal: Terminal
) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        await choose(pilot, "job-3")
        await pilot.press("enter")
        await until_seen(pilot, "convert qwen3", "a shape of [2, 3] is not known", "Traceback of the child")
        await pilot.press("c")
        assert "hub/qwen3" in pilot.app.clipboard

    driven(fake_terminal, script, (100, 40))


def test_details_of_a_measurement_are_its_table(working_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        await choose(pilot, "job-4")
        await pilot.press("enter")
        await until_seen(pilot, "Types of qwen3", "● recommended", "2.0%", "take Q4_K_M", "job-4")

    driven(fake_terminal, script)


def test_the_answer_of_a_task_is_no_markup(working_box: FakeDaemon, fake_terminal: Terminal) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        await choose(pilot, "task-b")
        await pilot.press("enter")
        await until_seen(pilot, "[b]forty-two[/b]")

    driven(fake_terminal, script)


def test_a_failed_task_is_tried_again(working_box: FakeDaemon, fake_terminal: Terminal) -> None:
    working_box.reply("POST", "/v1/tasks/task-a/retry", task("a", "queued", 120))

    async def script(pilot: Pilot[Any]) -> None:
        await choose(pilot, "task-a")
        await pilot.press("a")
        await until_seen(pilot, "task-a waits for its turn")

    driven(fake_terminal, script)


def test_work_that_would_be_lost_is_cancelled_only_after_a_yes(
    working_box: FakeDaemon, fake_terminal: Terminal
) -> None:
    working_box.reply("DELETE", f"{JOBS}/job-1", RUNNING)

    def is_cancelled() -> bool:
        return any(asked.method == "DELETE" for asked in working_box.asked)

    async def script(pilot: Pilot[Any]) -> None:
        await choose(pilot, "job-1")
        await pilot.press("x")
        await until_seen(pilot, "Cancel pull qwen3?", "deleted")
        await pilot.press("n")
        assert not is_cancelled()
        await pilot.press("x")
        await until_seen(pilot, "Cancel pull qwen3?")
        await pilot.press("y")
        await until(pilot, is_cancelled)

    driven(fake_terminal, script)


def test_without_work_it_says_what_would_be_here(fake_box: FakeDaemon, fake_terminal: Terminal) -> None:
    fake_box.reply("GET", JOBS, JobList(jobs=()))

    async def script(pilot: Pilot[Any]) -> None:
        pilot.app.action_go("jobs")
        await until_seen(pilot, "There is no long work.")

    driven(fake_terminal, script)


def test_a_job_appears_is_paused_goes_on_and_is_cancelled(drive: Drive) -> None:
    async def script(pilot: Pilot[Any]) -> None:
        pilot.app.action_go("jobs")
        box = pilot.app.box
        orders = {"model": "guide", "to": ["Q4_0"], "force": True}
        # The first keeps the second waiting, so that nothing of it is lost
        first = await box.ask(lambda client: client.submit_job("evaluate", orders))
        second = await box.ask(lambda client: client.submit_job("evaluate", orders | {"to": ["Q4_1"]}))
        await choose(pilot, second.id)
        await pilot.press("space")
        await until_seen(pilot, f"{second.id} is paused", "▲ paused")
        await pilot.press("space")
        await until_seen(pilot, f"{second.id} goes on", "◐ queued")
        await pilot.press("x")
        await until_seen(pilot, f"{second.id} is cancelled", "○ cancelled")
        assert "deleted" not in seen(pilot.app)
        await box.ask(lambda client: client.cancel_job(first.id))

    drive(script)
