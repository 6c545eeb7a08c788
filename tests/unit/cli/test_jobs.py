"""What `appliance jobs` shows and how it ends."""

from typing import Any

import msgspec
import pytest

from appliance.client import Client
from appliance.core.jobs import Job, JobError, JobId, JobList, JobNews, JobProgress
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_daemon import FakeDaemon, Reply

JOBS = "/admin/v1/jobs"
ONE = f"{JOBS}/job-1"


def job(**changes: Any) -> Job:
    new = Job(id=JobId("job-1"), kind="convert", arguments={"model": "m"}, caller="me", created_s=0.0)
    return msgspec.structs.replace(new, **changes)


RUNNING = job(state="running", started_s=10.0, progress=JobProgress(text="layers", done=5, total=10, unit="layers"))
DONE = job(state="done", started_s=10.0, ended_s=75.0, result={"model": "tiny"})
FAILED = job(
    state="failed", started_s=10.0, ended_s=75.0, error=JobError(message="no room\x1b[2J", log=("first", "last\x07"))
)


def follow(daemon: FakeDaemon, *jobs: Job) -> None:
    daemon.reply("GET", ONE, jobs[0])
    events = [b"data: %b\n\n" % msgspec.json.encode(JobNews(job=news)) for news in jobs]
    daemon.replies["GET", f"{ONE}?follow=true"] = Reply([b": keep-alive\n\n", *events])


def test_jobs_are_listed_with_how_far_they_are(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", JOBS, JobList(jobs=(job(), RUNNING, DONE)))

    lines = appliance("jobs", "list").out.splitlines()

    assert [" ".join(line.split()[:6]) for line in lines[:3]] == [
        "ID KIND OF STATE PROGRESS CREATED",
        f"job-1 convert m queued - {lines[1].split()[5]}",
        "job-1 convert m running layers 50%",
    ]
    assert "took 1 min 5 s" in lines[3]


def test_what_is_measured_is_shown_by_its_name_without_the_whole_plan(appliance: Command, daemon: FakeDaemon) -> None:
    measuring = job(kind="calibrate", arguments={"candidate": "m@tvm", "plan": {"backend": "tvm"}})
    daemon.reply("GET", JOBS, JobList(jobs=(measuring,)))
    daemon.reply("GET", ONE, measuring)

    assert appliance("jobs", "list").out.splitlines()[1].split()[:4] == ["job-1", "calibrate", "m@tvm", "queued"]
    assert "candidate m@tvm, plan {…}\n" in appliance("jobs", "show", "job-1").out


def test_without_jobs_the_list_says_so(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", JOBS, JobList(jobs=()))

    assert appliance("jobs", "list").out == "there is no job\n"
    assert appliance("jobs", "list", "--json").json == []


def test_a_job_that_failed_is_shown_with_its_log_and_cannot_command_the_terminal(
    appliance: Command, daemon: FakeDaemon
) -> None:
    daemon.reply("GET", ONE, FAILED)

    out = appliance("jobs", "show", "job-1").out

    assert "arguments     model m\n" in out
    assert "error         no room[2J" in out
    assert out.endswith("  first\n  last\n")


def test_a_job_that_made_a_model_tells_its_name_and_what_it_lost(appliance: Command, daemon: FakeDaemon) -> None:
    loss = {"num_samples": 9, "loss_ratio": 0.016, "method": "int8"}
    made = msgspec.structs.replace(DONE, result={"model": "tiny", "quality": loss})
    follow(daemon, RUNNING, made)

    assert "it made 'tiny', 1.6% worse than the original; see: appliance models show tiny" in (
        appliance("jobs", "follow", "job-1").out
    )
    daemon.reply("GET", ONE, made)
    shown = appliance("jobs", "show", "job-1").out
    assert "made          tiny\n" in shown
    assert "quality       1.6% worse than the original\n" in shown


def test_a_result_of_another_kind_is_shown_as_it_is(appliance: Command, daemon: FakeDaemon) -> None:
    daemon.reply("GET", ONE, msgspec.structs.replace(DONE, result={"files": 3, "note": None}))

    assert "result        files 3\n" in appliance("jobs", "show", "job-1").out


def test_following_shows_progress_and_ends_with_the_job(appliance: Command, daemon: FakeDaemon) -> None:
    follow(daemon, job(), RUNNING, DONE)

    result = appliance("jobs", "follow", "job-1")

    assert (result.code, result.out) == (
        0,
        "job-1 is done after 1 min 5 s\nit made 'tiny'; see: appliance models show tiny\n",
    )
    assert result.err.splitlines() == ["job-1 is queued", "layers: 5 of 10 layers"]


@pytest.mark.parametrize("ended", [FAILED, job(state="cancelled", ended_s=1.0)])
def test_following_a_job_that_was_not_done_ends_with_failure(
    appliance: Command, daemon: FakeDaemon, ended: Job
) -> None:
    follow(daemon, RUNNING, ended)

    result = appliance("jobs", "follow", "job-1")

    assert result.code == 1
    assert ended.state in result.out + result.err


def test_followed_as_json_each_change_is_a_line(appliance: Command, daemon: FakeDaemon) -> None:
    follow(daemon, RUNNING, DONE)

    lines = appliance("jobs", "follow", "job-1", "--json").out.splitlines()

    assert [msgspec.json.decode(line, type=Job) for line in lines] == [RUNNING, DONE]


def test_ctrl_c_leaves_the_job_alone_and_says_how_to_come_back(
    appliance: Command, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.reply("GET", ONE, RUNNING)

    def interrupted(client: Client, job_id: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "follow_job", interrupted)
    result = appliance("jobs", "follow", "job-1")

    assert result.code == 130
    assert "appliance jobs follow job-1" in result.err
    assert "appliance jobs cancel job-1" in result.err
    assert {asked.method for asked in daemon.asked} == {"GET"}


@pytest.mark.parametrize(("verb", "method", "path"), [("cancel", "DELETE", ONE), ("pause", "POST", f"{ONE}/pause")])
def test_a_verb_tells_what_the_job_is_now(
    appliance: Command, daemon: FakeDaemon, verb: str, method: str, path: str
) -> None:
    daemon.reply(method, path, RUNNING)

    assert appliance("jobs", verb, "job-1").out == "job-1 is running\n"
    assert msgspec.json.decode(appliance("jobs", verb, "job-1", "--json").out, type=Job) == RUNNING


def test_an_id_cannot_leave_its_place_in_the_path(appliance: Command, daemon: FakeDaemon) -> None:
    assert appliance("jobs", "cancel", "../models/guide").code == 4
    assert daemon.asked[-1].path == f"{JOBS}/..%2Fmodels%2Fguide"
