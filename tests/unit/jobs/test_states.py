"""Which state of a job follows which."""

import pytest
from msgspec.structs import replace

from appliance.core.events import JobState
from appliance.core.jobs import Job, JobError, JobId, JobProgress
from appliance.errors import Conflict
from appliance.jobs import states

JOB = Job(id=JobId("job-1"), kind="convert", arguments={}, caller="local", created_s=1.0)
RUNNING = states.start(JOB, 2.0)
ERROR = JobError(message="the disk is full")


def in_state(state: JobState) -> Job:
    return replace(JOB, state=state)


def test_a_job_waits_runs_rests_waits_again_and_is_done_with_the_time_of_its_first_start() -> None:
    rested = states.resume(states.pause(RUNNING))
    assert rested.state == "queued"
    done = states.finish(states.start(rested, 9.0), {"model": "tiny"}, 12.0)
    assert (done.state, done.started_s, done.ended_s, done.result) == ("done", 2.0, 12.0, {"model": "tiny"})
    assert (done.has_ended, done.duration_s) == (True, 10.0)


def test_a_job_that_failed_says_why() -> None:
    failed = states.fail(RUNNING, ERROR, 3.0)
    assert (failed.state, failed.error, failed.ended_s) == ("failed", ERROR, 3.0)


@pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
def test_what_has_ended_never_changes_again(state: JobState) -> None:
    job = in_state(state)
    attempts = (
        lambda: states.start(job, 1.0),
        lambda: states.pause(job),
        lambda: states.resume(job),
        lambda: states.cancel(job, 1.0),
        lambda: states.finish(job, {}, 1.0),
        lambda: states.fail(job, ERROR, 1.0),
        lambda: states.interrupt(job),
    )
    for attempt in attempts:
        with pytest.raises(Conflict, match=f"job job-1 is {state}"):
            attempt()


@pytest.mark.parametrize("state", ["queued", "running"])
def test_only_what_is_paused_goes_on(state: JobState) -> None:
    with pytest.raises(Conflict, match="cannot go on"):
        states.resume(in_state(state))


@pytest.mark.parametrize(("state", "after"), [("queued", "queued"), ("running", "queued"), ("paused", "paused")])
def test_an_orderly_end_of_the_daemon_counts_against_no_job(state: JobState, after: JobState) -> None:
    job = states.interrupt(replace(in_state(state), progress=JobProgress(done=0.7)))
    assert (job.state, job.num_interruptions, job.progress) == (after, 0, JobProgress())


def test_a_job_under_which_the_daemon_died_is_queued_again_but_not_for_ever() -> None:
    job = RUNNING
    for num_deaths in (1, 2):
        job = states.recover(job, 5.0)
        assert (job.state, job.num_interruptions) == ("queued", num_deaths)
        job = states.start(job, 6.0)
    given_up = states.recover(job, 7.0)
    assert given_up.state == "failed"
    assert given_up.error is not None
    assert "died 3 times" in given_up.error.message


@pytest.mark.parametrize("state", ["queued", "paused"])
def test_a_job_that_did_not_run_when_the_daemon_died_is_as_it_was(state: JobState) -> None:
    assert states.recover(in_state(state), 5.0) == in_state(state)
