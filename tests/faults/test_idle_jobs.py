"""Jobs for an idle machine: alone, stopped at once for whatever else there is, and gone on with later."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from appliance.core.events import JobStateChanged, SystemEvent
from appliance.core.jobs import Job, JobId
from appliance.jobs.jobs import Jobs, JobSources
from appliance.jobs.table import JobTable
from appliance.settings import JobsSettings
from tests.faults.live_jobs import end, hanging, on_uvloop, processes_of, running, submit, until
from tests.job_child import ENVIRONMENT, KINDS


@asynccontextmanager
async def idling(home: Path, open_gate: list[bool], events: list[SystemEvent] | None = None) -> AsyncIterator[Jobs]:
    """Run jobs of which idle ones may begin while the last entry of `open_gate` is true."""
    sources = JobSources(kinds=KINDS, environ=ENVIRONMENT, may_begin=lambda job: open_gate[-1])
    seen: list[SystemEvent] = [] if events is None else events
    jobs = Jobs(home, JobsSettings(), sources, seen.append)
    await jobs.start()
    try:
        yield jobs
    finally:
        await jobs.close()


@on_uvloop
async def test_it_waits_until_it_may_begin(tmp_path: Path) -> None:
    gate = [False]
    async with idling(tmp_path, gate) as jobs:
        job_id = await submit(jobs, "idling")
        jobs.look_again()
        assert (await jobs.get(job_id)).state == "queued"
        gate.append(True)
        jobs.look_again()
        assert (await end(jobs, job_id)).state == "done"


@on_uvloop
async def test_it_makes_way_at_once_and_goes_on_with_what_it_had(tmp_path: Path) -> None:
    gate, events = [True], list[SystemEvent]()
    async with idling(tmp_path, gate, events) as jobs:
        job_id = await submit(jobs, "idling", leaves_file=True, hangs=True)
        await hanging(jobs, job_id)
        gate.append(False)
        jobs.make_way()
        stopped = await until(jobs, job_id, lambda job: job.state == "queued")
        assert (stopped.num_interruptions, processes_of(job_id)) == (0, [])
        assert (tmp_path / "run" / "jobs" / job_id / "half").exists()
        gate.append(True)
        jobs.look_again()
        await hanging(jobs, job_id)
        assert (await jobs.cancel(job_id)).state == "cancelled"
    states = [event.state for event in events if isinstance(event, JobStateChanged)]
    assert states == ["queued", "running", "queued", "running", "cancelled"]


@on_uvloop
async def test_one_that_is_about_to_begin_makes_way_too(tmp_path: Path) -> None:
    gate = [True]
    async with idling(tmp_path, gate) as jobs:
        job_id = await submit(jobs, "idling", hangs=True)
        gate.append(False)
        jobs.make_way()
        await until(jobs, job_id, lambda job: job.state == "queued")
        assert processes_of(job_id) == []


@on_uvloop
async def test_no_other_job_is_stopped(tmp_path: Path) -> None:
    async with idling(tmp_path, [True]) as jobs:
        computing, fetching = await submit(jobs, hangs=True), await submit(jobs, "networking", hangs=True)
        await hanging(jobs, computing)
        await hanging(jobs, fetching)
        jobs.make_way()
        assert processes_of(computing)
        assert processes_of(fetching)


@on_uvloop
async def test_it_runs_beside_nothing_that_computes_and_alone_among_its_like(tmp_path: Path) -> None:
    async with idling(tmp_path, [True]) as jobs:
        first, second = await submit(jobs, "idling", hangs=True), await submit(jobs, "idling", name="2", hangs=True)
        await hanging(jobs, first)
        assert (await jobs.get(second)).state == "queued"
        computing = await submit(jobs, hangs=True)
        await hanging(jobs, computing)
        await until(jobs, first, lambda job: job.state == "queued")
        await jobs.cancel(computing)
        await hanging(jobs, first)


@on_uvloop
async def test_one_that_was_just_stopped_is_not_ordered_twice(tmp_path: Path) -> None:
    async with idling(tmp_path, [True]) as jobs:
        first = await submit(jobs, "idling", name="a", hangs=True)
        await hanging(jobs, first)
        jobs.make_way()
        assert await submit(jobs, "idling", name="a", hangs=True) == first


def left_running(home: Path, **changes: object) -> None:
    """Put a job into the table as a daemon that died would have left it."""
    job = Job(id=JobId("job-1"), kind="idling", arguments={}, caller="", created_s=1.0, state="running")
    table = JobTable(home / "state.db")
    table.save([msgspec.structs.replace(job, **changes)])
    table.close()


@on_uvloop
async def test_one_under_which_the_machine_died_thrice_is_not_tried_again(tmp_path: Path) -> None:
    left_running(tmp_path, num_interruptions=2)
    async with running(tmp_path) as jobs:
        (job,) = await jobs.newest()
    assert job.state == "failed"


@on_uvloop
async def test_an_order_of_another_version_fails_with_the_reason(tmp_path: Path) -> None:
    left_running(tmp_path, arguments={"instruction_set": "avx2"}, state="queued")
    async with running(tmp_path) as jobs:
        (job,) = await jobs.newest()
    assert job.state == "failed"
    assert job.error is not None
    assert "another version of the appliance was told to do this" in job.error.message
