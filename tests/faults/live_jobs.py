"""Jobs with real processes, and what tests do with them."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import uvloop

from appliance.core.events import SystemEvent
from appliance.core.jobs import Job, JobId
from appliance.jobs.jobs import Jobs, JobSources
from appliance.settings import JobsSettings
from tests.job_child import ENVIRONMENT, KINDS

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


async def halted(job_id: JobId, is_halted: bool = True) -> None:
    """Wait until all processes of a job stand still, or none: a signal has its effect when its process has its turn."""

    def is_so() -> bool:
        return all((process.status() == psutil.STATUS_STOPPED) == is_halted for process in processes_of(job_id))

    while not is_so():  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.01)


def folders(home: Path) -> list[str]:
    return [path.name for path in (home / "run" / "jobs").iterdir()]
