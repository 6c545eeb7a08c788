"""Jobs with real processes that are killed, lie, hang and leave things behind."""

import os
import signal
import sqlite3
from collections.abc import Awaitable
from pathlib import Path

import psutil
import pytest

from appliance.core.events import JobProgressed, JobStateChanged, SystemEvent
from appliance.core.jobs import Job, JobId, JobProgress, JsonObject, Tell
from appliance.errors import Conflict, InvalidRequest, JobNotFound
from appliance.jobs import runner
from tests.faults.live_jobs import (
    TIMEOUT_S,
    end,
    folders,
    halted,
    hanging,
    on_uvloop,
    processes_of,
    running,
    submit,
    until,
)
from tests.job_child import Play


@on_uvloop
async def test_a_job_runs_in_its_own_folder_behind_everything_else_and_leaves_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as jobs:
        job = await end(jobs, await submit(jobs, name="ada", leaves_file=True))
        assert (job.state, job.result) == ("done", {"name": "ada", "files": [], "niceness": 19})
        assert job.duration_s is not None
        assert folders(tmp_path) == []
        assert processes_of(job.id) == []


@on_uvloop
async def test_a_job_is_on_the_disk_before_it_is_acknowledged(tmp_path: Path) -> None:
    async with running(tmp_path) as jobs:
        job_id = await submit(jobs, hangs=True)
        with sqlite3.connect(tmp_path / "state.db") as database:
            assert database.execute("SELECT id FROM jobs").fetchall() == [(job_id,)]
        database.close()


@on_uvloop
async def test_what_is_no_order_is_refused_and_not_kept(tmp_path: Path) -> None:
    async with running(tmp_path) as jobs:
        wrong: list[tuple[str, JsonObject, str]] = [
            ("conjure", {}, "there are: idling, networking, play, resumable"),
            ("play", {"name": 1}, "Expected `str`"),
            ("play", {"colour": "red"}, "colour"),
            ("play", {"num_progress": -1}, "cannot be negative"),
        ]
        for kind, arguments, reason in wrong:
            with pytest.raises(InvalidRequest, match=reason):
                await jobs.submit(kind, arguments, "tester")
        assert await jobs.newest() == ()
        assert (await jobs.submit("play", Play(name="a struct"), "tester")).arguments["name"] == "a struct"


@on_uvloop
async def test_a_killed_child_fails_its_job_with_the_end_of_its_log_and_the_next_runs(tmp_path: Path) -> None:
    async with running(tmp_path) as jobs:
        first = await submit(jobs, log="reading layer 3", starts_another=True, hangs=True, leaves_file=True)
        second = await submit(jobs, name="next")
        await hanging(jobs, first)
        leader = min(process.pid for process in processes_of(first))
        os.kill(leader, signal.SIGKILL)
        killed = await end(jobs, first)
        assert killed.error is not None
        assert "was killed (SIGKILL; out of memory?)" in killed.error.message
        assert killed.error.log[0] == "reading layer 3"
        assert processes_of(first) == []
        assert (await end(jobs, second)).state == "done"
        assert folders(tmp_path) == []


@on_uvloop
async def test_each_way_to_fail_says_what_happened(tmp_path: Path) -> None:
    async with running(tmp_path) as jobs:
        refused = (await end(jobs, await submit(jobs, fails="needs 5 GiB"))).error
        assert refused is not None
        assert (refused.message, refused.kind) == ("needs 5 GiB", "DoesNotFit")
        crashed = (await end(jobs, await submit(jobs, crashes=True))).error
        assert crashed is not None
        assert crashed.message == "ZeroDivisionError: by zero"
        assert "Traceback (most recent call last):" in crashed.log
        exited = (await end(jobs, await submit(jobs, log="giving up", exits=True))).error
        assert exited is not None
        assert exited.message == "its process exited with code 7: giving up"


@on_uvloop
async def test_garbage_on_standard_output_harms_nobody(tmp_path: Path) -> None:
    async with running(tmp_path) as jobs:
        job = await end(jobs, await submit(jobs, garbage=True, prints='{"type": "result", "result": {}}', name="ok"))
        assert job.result is not None
        assert job.result["name"] == "ok"


@on_uvloop
async def test_thousands_of_progress_events_are_told_as_a_few_and_the_last_among_them(tmp_path: Path) -> None:
    events: list[SystemEvent] = []
    async with running(tmp_path, events) as jobs:
        job = await end(jobs, await submit(jobs, num_progress=20_000))
    told = [event.done for event in events if isinstance(event, JobProgressed)]
    assert job.duration_s is not None
    assert 1 <= len(told) <= job.duration_s / runner.PROGRESS_EVERY_S + 3
    assert told == sorted(told)
    assert (told[-1], job.progress.done) == (20_000, 20_000)


@on_uvloop
async def test_jobs_run_one_after_the_other_and_cancelling_a_waiting_one_never_starts_it(tmp_path: Path) -> None:
    events: list[SystemEvent] = []
    async with running(tmp_path, events) as jobs:
        first = await submit(jobs, hangs=True)
        second, third = await submit(jobs, hangs=True), await submit(jobs, name="third")
        await hanging(jobs, first)
        assert (await jobs.get(second)).state == "queued"
        assert (await jobs.cancel(second)).state == "cancelled"
        assert (await jobs.cancel(first)).state == "cancelled"
        assert processes_of(first) == []
        assert (await end(jobs, third)).state == "done"
    started = [event.id for event in events if isinstance(event, JobStateChanged) and event.state == "running"]
    assert started == [first, third]


@on_uvloop
async def test_a_job_cancelled_in_the_moment_it_starts_is_cancelled(tmp_path: Path) -> None:
    async with running(tmp_path) as jobs:
        job_id = await submit(jobs, hangs=True)
        assert (await jobs.cancel(job_id)).state == "cancelled"
        with pytest.raises(Conflict, match="is cancelled"):
            await jobs.cancel(job_id)
        assert folders(tmp_path) == []


def test_a_child_that_ignores_sigterm_is_killed_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "GRACE_S", 0.1)

    @on_uvloop
    async def scenario(home: Path) -> None:
        async with running(home) as jobs:
            job_id = await submit(jobs, ignores_sigterm=True, starts_another=True, hangs=True)
            await hanging(jobs, job_id)
            assert len(processes_of(job_id)) == 2
            assert (await jobs.cancel(job_id)).state == "cancelled"
            assert processes_of(job_id) == []

    scenario(tmp_path)


@on_uvloop
async def test_a_paused_job_halts_whole_lets_others_run_and_goes_on_in_its_turn(tmp_path: Path) -> None:
    async with running(tmp_path) as jobs:
        paused = await submit(jobs, starts_another=True, hangs=True)
        await hanging(jobs, paused)
        assert (await jobs.pause(paused)).state == "paused"
        await halted(paused)
        other = await submit(jobs, hangs=True)
        await hanging(jobs, other)
        assert (await jobs.resume(paused)).state == "queued"
        assert {process.status() for process in processes_of(paused)} == {psutil.STATUS_STOPPED}
        await jobs.cancel(other)
        await until(jobs, paused, lambda job: job.state == "running")
        await halted(paused, is_halted=False)


def test_a_paused_job_is_cancelled_without_having_to_be_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "GRACE_S", 2 * TIMEOUT_S)

    @on_uvloop
    async def scenario(home: Path) -> None:
        async with running(home) as jobs:
            job_id = await submit(jobs, hangs=True)
            await hanging(jobs, job_id)
            await jobs.pause(job_id)
            assert (await jobs.cancel(job_id)).state == "cancelled"
            assert processes_of(job_id) == []

    scenario(tmp_path)


@on_uvloop
async def test_a_waiting_job_that_is_paused_does_not_start(tmp_path: Path) -> None:
    async with running(tmp_path) as jobs:
        first = await submit(jobs, hangs=True)
        second, third = await submit(jobs, name="second"), await submit(jobs, name="third")
        await jobs.pause(second)
        await jobs.cancel(first)
        await end(jobs, third)
        assert (await jobs.get(second)).state == "paused"
        await jobs.resume(second)
        assert (await end(jobs, second)).state == "done"


@on_uvloop
async def test_a_kind_that_this_version_does_not_know_fails_instead_of_waiting_for_ever(tmp_path: Path) -> None:
    async with running(tmp_path) as jobs:
        first, second = await submit(jobs, hangs=True), await submit(jobs)
        await hanging(jobs, first)
    database = sqlite3.connect(tmp_path / "state.db")
    database.execute("UPDATE jobs SET job = json_set(job, '$.kind', 'later') WHERE id = ?", (second,))
    database.commit()
    database.close()
    async with running(tmp_path) as jobs:
        failed = await jobs.get(second)
        assert failed.error is not None
        assert "has no kind of job 'later'" in failed.error.message


@on_uvloop
async def test_a_finisher_takes_over_what_the_child_made_before_its_folder_goes(tmp_path: Path) -> None:
    async def adopt(job: Job, result: JsonObject, tell: Tell) -> JsonObject:
        tell(JobProgress(text="adopting"))
        assert (await jobs.get(job.id)).progress.text == "adopting"
        (tmp_path / "run" / "jobs" / job.id / "half").rename(tmp_path / "model")
        return {"model": "adopted", "from": result["name"]}

    async with running(tmp_path, play=adopt) as jobs:
        job = await end(jobs, await submit(jobs, leaves_file=True, name="tiny"))
        assert job.result == {"model": "adopted", "from": "tiny"}
        assert (tmp_path / "model").read_text() == "written"
        assert folders(tmp_path) == []


@on_uvloop
async def test_a_finisher_that_refuses_fails_the_job(tmp_path: Path) -> None:
    async def refuse(job: Job, result: JsonObject, tell: Tell) -> JsonObject:
        raise Conflict("the name is taken")

    async with running(tmp_path, play=refuse) as jobs:
        error = (await end(jobs, await submit(jobs))).error
        assert error is not None
        assert (error.message, error.kind) == ("the name is taken", "Conflict")


@on_uvloop
async def test_a_job_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    async with running(tmp_path) as jobs:
        calls: list[Awaitable[object]] = [jobs.get(JobId("no")), jobs.cancel(JobId("no")), end(jobs, JobId("no"))]
        for call in calls:
            with pytest.raises(JobNotFound, match="appliance jobs list"):
                await call


@on_uvloop
async def test_two_jobs_run_beside_each_other_where_the_settings_say_so(tmp_path: Path) -> None:
    async with running(tmp_path, max_running=2) as jobs:
        for job_id in (await submit(jobs, hangs=True), await submit(jobs, hangs=True)):
            await hanging(jobs, job_id)
