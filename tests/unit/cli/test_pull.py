"""What `appliance pull` orders, shows and leaves behind."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance.core.jobs import Job, JobError, JobId, JobNews, JobProgress
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_daemon import FakeDaemon, Reply

PULL = "/admin/v1/models/pull"
ONE = "/admin/v1/jobs/job-1"
MIB = 2**20


def job(**changes: Any) -> Job:
    new = Job(id=JobId("job-1"), kind="pull", arguments={"model": "hf:acme/heron"}, caller="me", created_s=0.0)
    return msgspec.structs.replace(new, **changes)


def fetching(done: int, rate: float | None) -> Job:
    progress = JobProgress(text="fetching heron.gguf", done=done * MIB, total=100 * MIB, unit="bytes", rate=rate)
    return job(state="running", started_s=1.0, progress=progress)


def answer(daemon: FakeDaemon, *jobs: Job) -> None:
    daemon.reply("POST", PULL, jobs[0], 202)
    events = [b"data: %b\n\n" % msgspec.json.encode(JobNews(job=news)) for news in jobs]
    daemon.replies["GET", f"{ONE}?follow=true"] = Reply([b": keep-alive\n\n", *events])


def test_a_pull_is_followed_with_bytes_rate_and_what_is_left(appliance: Command, daemon: FakeDaemon) -> None:
    result = {"note": "'heron' is here; chat with it: appliance run heron", "notes": ["Q8_0 of 3", "read its licence"]}
    answer(daemon, job(), fetching(10, 2.0 * MIB), job(state="done", started_s=1.0, ended_s=61.0, result=result))

    ended = appliance("pull", "hf:acme/heron")

    assert ended.code == 0
    assert "fetching heron.gguf: 10.0 MiB of 100.0 MiB, 2.0 MiB/s, 45.0 s left" in ended.err
    assert ended.out.splitlines() == [
        "job-1 is done after 1 min 0 s",
        "  Q8_0 of 3",
        "  read its licence",
        "'heron' is here; chat with it: appliance run heron",
    ]


@pytest.mark.parametrize("command", [("pull",), ("models", "pull")])
def test_everything_that_is_said_is_ordered(appliance: Command, daemon: FakeDaemon, command: tuple[str, ...]) -> None:
    answer(daemon, job())

    options = ("--name", "mine", "--quantization", "Q4_K_M", "--limit", "10MB/s", "--detach")
    ended = appliance(*command, "hf:acme/heron", *options)

    assert daemon.last("POST", PULL).body == {
        "model": "hf:acme/heron",
        "name": "mine",
        "quantization": "Q4_K_M",
        "max_bytes_per_s": 10_000_000,
    }
    assert "appliance jobs follow job-1" in ended.out
    assert ended.code == 0


def test_a_path_is_made_whole_for_the_daemon_which_is_in_another_folder(
    appliance: Command, daemon: FakeDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(daemon, job())
    monkeypatch.chdir(tmp_path)

    appliance("pull", "./stick/model.gguf", "--detach", "--json")

    assert daemon.last("POST", PULL).body["model"] == str(tmp_path / "stick" / "model.gguf")


def test_a_pull_that_fails_says_why(appliance: Command, daemon: FakeDaemon) -> None:
    error = JobError(message="the hub has no model acme/heron", kind="SourceFailed")
    answer(daemon, job(), job(state="failed", started_s=1.0, ended_s=2.0, error=error))

    ended = appliance("pull", "hf:acme/heron")

    assert ended.code == 1
    assert "job-1 failed after 1.0 s: the hub has no model acme/heron" in ended.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("hf:acme",), "is no repository"),
        (("ftp://a/b.gguf",), "only http:, https: and file:"),
        (("hf:acme/heron", "--limit", "fast"), "is no speed; write it as 10MB/s"),
        (("hf:acme/heron", "--limit", "3"), "no limit that a model could come at"),
    ],
)
def test_what_means_nothing_is_wrong_usage_and_reaches_no_daemon(
    appliance: Command, daemon: FakeDaemon, arguments: tuple[str, ...], message: str
) -> None:
    ended = appliance("pull", *arguments)

    assert ended.code == 2
    assert message in ended.err
    assert not [asked for asked in daemon.asked if asked.path == PULL]
