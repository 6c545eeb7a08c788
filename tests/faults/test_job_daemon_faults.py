"""Daemons that stop, die or have no room on the disk while jobs run: what becomes of the jobs."""

import asyncio
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import psutil
import pytest

from appliance.core.jobs import JobId
from appliance.errors import Draining, StorageError
from appliance.jobs.jobs import Jobs
from tests.faults.live_jobs import TIMEOUT_S, end, folders, hanging, on_uvloop, processes_of, running, submit
from tests.job_child import ENVIRONMENT, Play


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
from tests.faults.live_jobs import hanging, running, submit

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
    (tmp_path / "run" / "jobs" / "job-1").mkdir(parents=True)
    async with running(tmp_path) as jobs:
        for call in (jobs.newest(), submit(jobs), jobs.get(JobId("x")), jobs.cancel(JobId("x"))):
            with pytest.raises(StorageError, match=r"there are no jobs now: .*state\.db is damaged"):
                await call
    assert (tmp_path / "state.db").read_bytes() == b"not a database" * 100
    assert folders(tmp_path) == ["job-1"], "what an unread job has done so far is not thrown away"
