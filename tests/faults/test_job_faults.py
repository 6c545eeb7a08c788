"""Jobs with real processes that are killed, lie, hang and leave things behind; and daemons that die under them."""

import asyncio
import functools
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
import uvloop

from appliance.core.events import JobProgressed, JobStateChanged, SystemEvent
from appliance.core.jobs import Job, JobId, JsonObject
from appliance.errors import Conflict, Draining, InvalidRequest, JobNotFound, StorageError
from appliance.jobs import runner
from appliance.jobs.jobs import Jobs, JobSources
from appliance.settings import JobsSettings
from tests.job_child import ENVIRONMENT, KINDS, Play

TIMEOUT_S = 60.0


def on_uvloop(scenario: Callable[[Path], Awaitable[None]]) -> Callable[[Path], None]:
    """Run a test on the event loop that the daemon runs on, with a limit on its time."""

    @functools.wraps(scenario)
    def run(tmp_path: Path) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as looping:
            looping.run(asyncio.wait_for(scenario(tmp_path), TIMEOUT_S))

    return run


@asynccontextmanager
async def running(
    home: Path, events: list[SystemEvent] | None = None, max_running: int = 1, **finishers: Any
) -> AsyncIterator[Jobs]:
    sources = JobSources(kinds=KINDS, environ=ENVIRONMENT, finishers=finishers)
    seen: list[SystemEvent] = [] if events is None else events
    jobs = Jobs(home, JobsSettings(max_running=max_running), sources, seen.append)
    await jobs.start()
    try:
        yield jobs
    finally:
        await jobs.close()


async def submit(jobs: Jobs, kind: str = "play", **arguments: Any) -> JobId:
    return (await jobs.submit(kind, arguments, "tester")).id


async def until(jobs: Jobs, job_id: JobId, claim: Callable[[Job], bool]) -> Job:
    async for job in jobs.follow(job_id):
        if claim(job):
            return job
    raise AssertionError(f"it never came to that: {job}")


async def end(jobs: Jobs, job_id: JobId) -> Job:
    return await until(jobs, job_id, lambda job: job.has_ended)


async def hanging(jobs: Jobs, job_id: JobId) -> Job:
    return await until(jobs, job_id, lambda job: job.progress.text == "hanging")


def processes_of(job_id: JobId) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("APPLIANCE_JOB") == job_id:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def folders(home: Path) -> list[str]:
    return [path.name for path in (home / "run" / "jobs").iterdir()]


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
            ("conjure", {}, "there are: play, resumable"),
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
        assert {process.status() for process in processes_of(paused)} == {psutil.STATUS_STOPPED}
        other = await submit(jobs, hangs=True)
        await hanging(jobs, other)
        assert (await jobs.resume(paused)).state == "queued"
        assert {process.status() for process in processes_of(paused)} == {psutil.STATUS_STOPPED}
        await jobs.cancel(other)
        await until(jobs, paused, lambda job: job.state == "running")
        assert psutil.STATUS_STOPPED not in {process.status() for process in processes_of(paused)}


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


@pytest.mark.parametrize(("kind", "files"), [("play", []), ("resumable", ["half"])])
def test_a_daemon_that_stops_leaves_what_ran_to_the_next_one(tmp_path: Path, kind: str, files: list[str]) -> None:
    @on_uvloop
    async def scenario(home: Path) -> None:
        async with running(home) as jobs:
            job_id = await submit(jobs, kind, leaves_file=True, hangs=True)
            follower = asyncio.create_task(end(jobs, job_id))
            await hanging(jobs, job_id)
        with pytest.raises(Draining, match="goes on when it is back"):
            await follower
        with pytest.raises(Draining):
            await submit(jobs)
        assert processes_of(job_id) == []
        rewrite(home, job_id, Play(name="again"))
        async with running(home) as jobs:
            job = await end(jobs, job_id)
            assert job.result == {"name": "again", "files": files, "niceness": 19}
            assert job.num_interruptions == 0

    scenario(tmp_path)


def rewrite(home: Path, job_id: JobId, arguments: Play) -> None:
    """Let a job do something else when it runs the next time."""
    database = sqlite3.connect(home / "state.db")
    text = msgspec.json.encode(arguments).decode()
    database.execute("UPDATE jobs SET job = json_set(job, '$.arguments', json(?)) WHERE id = ?", (text, job_id))
    database.commit()
    database.close()


DAEMON = """
import asyncio, sys
from pathlib import Path
from tests.faults.test_job_faults import hanging, running, submit

async def main():
    async with running(Path(sys.argv[1])) as jobs:
        job_id = await submit(jobs, starts_another=True, leaves_file=True, hangs=True)
        await hanging(jobs, job_id)
        if sys.argv[2] == "pause":
            await jobs.pause(job_id)
        print(job_id, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def kill_a_daemon(home: Path, *, while_paused: bool) -> JobId:
    command = [sys.executable, "-c", DAEMON, str(home), "pause" if while_paused else "run"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=ENVIRONMENT, text=True) as daemon:
        assert daemon.stdout is not None
        job_id = JobId(daemon.stdout.readline().strip())
        daemon.kill()
    return job_id


def test_when_the_daemon_is_killed_its_job_dies_whole_and_the_next_daemon_runs_it_again(tmp_path: Path) -> None:
    job_id = kill_a_daemon(tmp_path, while_paused=False)
    psutil.wait_procs(processes_of(job_id), timeout=TIMEOUT_S)
    assert processes_of(job_id) == []
    rewrite(tmp_path, job_id, Play(name="again"))

    @on_uvloop
    async def scenario(home: Path) -> None:
        async with running(home) as jobs:
            job = await end(jobs, job_id)
            assert (job.state, job.num_interruptions) == ("done", 1)
            assert job.result == {"name": "again", "files": [], "niceness": 19}

    scenario(tmp_path)


def test_what_a_killed_daemon_left_halted_is_killed_by_the_next_one_and_stays_paused(tmp_path: Path) -> None:
    job_id = kill_a_daemon(tmp_path, while_paused=True)
    assert processes_of(job_id)

    @on_uvloop
    async def scenario(home: Path) -> None:
        async with running(home) as jobs:
            assert processes_of(job_id) == []
            assert (await jobs.get(job_id)).state == "paused"
            await jobs.resume(job_id)
            await hanging(jobs, job_id)

    scenario(tmp_path)


@on_uvloop
async def test_a_job_that_cannot_be_saved_does_not_exist(tmp_path: Path) -> None:
    async with running(tmp_path) as jobs:
        fill(jobs)
        with pytest.raises(StorageError, match="is the disk full"):
            await submit(jobs, log="x" * 100_000)
        assert await jobs.newest() == ()


@on_uvloop
async def test_an_end_that_cannot_be_saved_is_told_and_saved_as_soon_as_there_is_room(tmp_path: Path) -> None:
    async with running(tmp_path) as jobs:
        submitted = [await submit(jobs, hangs=True) for _ in range(3)]
        await hanging(jobs, submitted[0])
        connection_of(jobs).execute("PRAGMA query_only = 1")  # as a full disk: every write fails
        for job_id in reversed(submitted):
            assert (await jobs.cancel(job_id)).state == "cancelled"
        assert [job.state for job in await jobs.newest()] == ["cancelled"] * 3
        connection_of(jobs).execute("PRAGMA query_only = 0")
    async with running(tmp_path) as jobs:
        assert [job.state for job in await jobs.newest()] == ["cancelled"] * 3


def connection_of(jobs: Jobs) -> sqlite3.Connection:
    table = jobs._storage._table
    assert table is not None
    return table._connection


def fill(jobs: Jobs) -> None:
    """Leave the database no room to grow."""
    pages = connection_of(jobs).execute("PRAGMA page_count").fetchone()[0]
    connection_of(jobs).execute(f"PRAGMA max_page_count = {pages}")


@on_uvloop
async def test_without_its_database_the_daemon_goes_on_and_each_call_says_why(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"not a database" * 100)
    async with running(tmp_path) as jobs:
        for call in (jobs.newest(), submit(jobs), jobs.get(JobId("x")), jobs.cancel(JobId("x"))):
            with pytest.raises(StorageError, match=r"there are no jobs now: .*state\.db is damaged"):
                await call
    assert (tmp_path / "state.db").read_bytes() == b"not a database" * 100


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
    async def adopt(job: Job, result: JsonObject) -> JsonObject:
        (tmp_path / "run" / "jobs" / job.id / "half").rename(tmp_path / "model")
        return {"model": "adopted", "from": result["name"]}

    async with running(tmp_path, play=adopt) as jobs:
        job = await end(jobs, await submit(jobs, leaves_file=True, name="tiny"))
        assert job.result == {"model": "adopted", "from": "tiny"}
        assert (tmp_path / "model").read_text() == "written"
        assert folders(tmp_path) == []


@on_uvloop
async def test_a_finisher_that_refuses_fails_the_job(tmp_path: Path) -> None:
    async def refuse(job: Job, result: JsonObject) -> JsonObject:
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
