"""Which state follows which: a job and what happened → the job after it. Pure; knows no clock, table or process."""

from msgspec.structs import replace

from appliance.core.jobs import Job, JobError, JobProgress, JsonObject
from appliance.errors import Conflict

MAX_INTERRUPTIONS = 3
"""A job under which so many daemons died in a row is taken for their cause and not run again."""


def start(job: Job, now_s: float) -> Job:
    """Return the queued job as it runs. `started_s` stays that of the first time."""
    _check(job, "start", "queued")
    return replace(job, state="running", started_s=now_s if job.started_s is None else job.started_s)


def pause(job: Job) -> Job:
    """Return the job as it rests. Raises: Conflict, unless it waits or runs."""
    _check(job, "be paused", "queued", "running")
    return replace(job, state="paused")


def resume(job: Job) -> Job:
    """Return the job as it waits for its turn again. Raises: Conflict, unless it is paused."""
    _check(job, "go on", "paused")
    return replace(job, state="queued")


def cancel(job: Job, now_s: float) -> Job:
    """Return the job as it was given up. Raises: Conflict, when it has ended."""
    _check(job, "be cancelled", "queued", "running", "paused")
    return replace(job, state="cancelled", ended_s=now_s)


def finish(job: Job, result: JsonObject, now_s: float) -> Job:
    """Return the job as it succeeded. Also one that was just paused: its process was faster."""
    _check(job, "end", "queued", "running", "paused")
    return replace(job, state="done", ended_s=now_s, result=result)


def fail(job: Job, error: JobError, now_s: float) -> Job:
    """Return the job as it failed; its process may end also while it rests."""
    _check(job, "fail", "queued", "running", "paused")
    return replace(job, state="failed", ended_s=now_s, error=error)


def interrupt(job: Job) -> Job:
    """Return the job as an orderly end of the daemon leaves it: what ran waits, what rested goes on resting."""
    _check(job, "be interrupted", "queued", "running", "paused")
    return replace(job, state="paused" if job.state == "paused" else "queued", progress=JobProgress())


def recover(job: Job, now_s: float, *, may_be_cause: bool = True) -> Job:
    """Return the job as a new daemon finds it after the last one died, which not every kind can be the cause of."""
    if job.state != "running":
        return job
    num_interruptions = job.num_interruptions + 1
    found = replace(interrupt(job), num_interruptions=num_interruptions)
    if num_interruptions < MAX_INTERRUPTIONS or not may_be_cause:
        return found
    message = f"the daemon died {num_interruptions} times while this ran; it is not tried again (out of memory?)"
    return fail(found, JobError(message=message), now_s)


def _check(job: Job, what: str, *states: str) -> None:
    if job.state not in states:
        raise Conflict(f"job {job.id} is {job.state} and cannot {what}")
