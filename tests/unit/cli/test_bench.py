"""What `appliance bench` asks for, shows, compares, and ends with."""

from pathlib import Path

import msgspec
import pytest

from appliance.core.calibration import Benchmark, CalibrationJobs
from appliance.core.jobs import Job, JobError, JobId, JobNews, JobProgress
from appliance.core.measurement import Candidate, Explanation, Measurement, ModelSpeed, PrefillSpeed
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_daemon import FakeDaemon, Reply

ORDER = "/admin/v1/models/calibrate"


def measured(one: float, eight: float | None = 400.0, *, is_disturbed: bool = False) -> Measurement:
    speed = ModelSpeed(
        prefill=(PrefillSpeed(num_tokens=128, tokens_per_s=1700.0), PrefillSpeed(num_tokens=1024, tokens_per_s=1400.0)),
        decode_1_tokens_per_s=one,
        decode_8_tokens_per_s=eight,
    )
    return Measurement(
        speed=speed,
        memory_bytes=450 * 2**20,
        estimated_bytes=2**20,
        threads_decode=2,
        threads_prefill=2,
        measured_s=1.0,
        is_disturbed=is_disturbed,
    )


def job(number: int, candidate: str, **changes: object) -> Job:
    made = Job(
        id=JobId(f"job-{number}"), kind="calibrate", arguments={"candidate": candidate}, caller="", created_s=1.0
    )
    return msgspec.structs.replace(made, **changes)


def done(number: int, candidate: str, now: Measurement, before: Measurement | None = None) -> Job:
    backend = candidate.partition("@")[2]
    found = Benchmark(candidate=candidate, backend=backend, measurement=now, before=before, note="")
    return job(number, candidate, state="done", result=msgspec.to_builtins(found))


def prepare(daemon: FakeDaemon, *ended: Job, waits_for: str | None = None) -> None:
    queued = tuple(job(number, str(each.arguments["candidate"])) for number, each in enumerate(ended))
    daemon.reply("POST", ORDER, CalibrationJobs(model="qwen", jobs=queued, waits_for=waits_for), 202)
    for number, each in enumerate(ended):
        running = msgspec.structs.replace(queued[number], state="running", progress=JobProgress(text="measuring"))
        events = [b"data: %b\n\n" % msgspec.json.encode(JobNews(job=news)) for news in (running, each)]
        daemon.replies["GET", f"/admin/v1/jobs/job-{number}?follow=true"] = Reply(events)
    chosen = Candidate(
        variant="fast",
        backend="fast",
        device="cpu",
        model="qwen",
        format="gguf",
        quantization=None,
        is_chosen=True,
        is_ready=True,
        reason="",
    )
    explanation = Explanation(model="qwen", task="generate", chosen_by="measurement", candidates=(chosen,))
    daemon.reply("GET", "/admin/v1/explain/qwen", explanation)


def test_all_ways_are_shown_with_bars_the_fastest_first(appliance: Command, daemon: FakeDaemon) -> None:
    prepare(daemon, done(0, "qwen@slow", measured(50.0)), done(1, "qwen@fast", measured(100.0)))

    result = appliance("bench", "qwen")

    assert result.code == 0
    assert result.out.splitlines() == [
        "qwen, tokens a second",
        "VARIANT  PROMPT OF 128  PROMPT OF 1024  ONE CHAT  EIGHT CHATS     MEMORY",
        f"fast             1,700           1,400       100          400  450.0 MiB  {'█' * 20}  taken",
        f"slow             1,700           1,400      50.0          400  450.0 MiB  {'█' * 10}",
    ]
    assert daemon.last("POST", ORDER).body == {"model": "qwen", "backends": []}
    assert "fast: measuring" in result.err


def test_the_default_model_and_some_backends(appliance: Command, daemon: FakeDaemon) -> None:
    prepare(daemon, done(0, "qwen@fast", measured(100.0)), waits_for="the answers under way")

    result = appliance("bench", "--backends", "fast,slow")

    assert daemon.last("POST", ORDER).body == {"model": None, "backends": ["fast", "slow"]}
    assert result.err.startswith("waiting for the answers under way\n")


def test_what_changed_is_said_and_too_much_of_it_is_a_failure(appliance: Command, daemon: FakeDaemon) -> None:
    prepare(daemon, done(0, "qwen@fast", measured(85.0, 440.0), measured(100.0)))

    result = appliance("bench", "qwen", "--max-regression", "0.2")
    assert result.code == 0
    assert "fast against before: prompt of 128 +0%, prompt of 1024 +0%, one chat -15%, eight chats +10%" in result.out

    result = appliance("bench", "qwen", "--max-regression", "0.1")
    assert result.code == 1
    assert result.err.endswith("slower than before by more than 10%: qwen@fast\n")


def test_an_earlier_report_can_be_what_it_is_compared_with(
    appliance: Command, daemon: FakeDaemon, tmp_path: Path
) -> None:
    prepare(daemon, done(0, "qwen@fast", measured(100.0)))
    before = tmp_path / "before.json"
    before.write_text(appliance("bench", "qwen", "--json").out)
    prepare(daemon, done(0, "qwen@fast", measured(50.0), measured(50.0)))

    arguments = ("bench", "qwen", "--max-regression", "0.1")
    assert appliance(*arguments).code == 0
    assert appliance(*arguments, "--baseline", str(before)).code == 1


def test_what_is_no_report_is_refused_before_anything_is_measured(
    appliance: Command, daemon: FakeDaemon, tmp_path: Path
) -> None:
    (tmp_path / "before.json").write_text("[]")

    result = appliance("bench", "--baseline", str(tmp_path / "before.json"))

    assert (result.code, daemon.asked) == (2, [])
    assert "is not what 'appliance bench --json' printed" in result.err
    assert appliance("bench", "--baseline", str(tmp_path / "nowhere")).code == 1


def test_what_was_disturbed_and_what_failed_is_said(appliance: Command, daemon: FakeDaemon) -> None:
    failed = job(1, "qwen@broken", state="failed", error=JobError(message="it crashed"))
    prepare(daemon, done(0, "qwen@fast", measured(100.0, is_disturbed=True)), failed)

    result = appliance("bench", "qwen")

    assert result.code == 1
    assert "taken, disturbed" in result.out
    assert "broken could not be measured: it crashed" in result.out
    assert "other programs were at work" in result.out


def test_a_disturbed_speed_is_no_regression_but_a_reason_to_try_again(appliance: Command, daemon: FakeDaemon) -> None:
    prepare(daemon, done(0, "qwen@fast", measured(50.0, is_disturbed=True), measured(100.0)))

    result = appliance("bench", "qwen", "--max-regression", "0.1")

    assert result.code == 75
    assert "against before" not in result.out


def test_a_model_that_only_reads_is_compared_by_that(appliance: Command, daemon: FakeDaemon) -> None:
    reading = msgspec.structs.replace(measured(1.0), speed=ModelSpeed(prefill=measured(1.0).speed.prefill))
    prepare(daemon, done(0, "qwen@fast", reading))

    (headers, row) = appliance("bench", "qwen").out.splitlines()[1:]

    assert headers.split() == ["VARIANT", "PROMPT", "OF", "128", "PROMPT", "OF", "1024", "MEMORY"]
    assert "█" in row


def test_ctrl_c_cancels_what_has_not_ended(
    appliance: Command, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(daemon, done(0, "qwen@fast", measured(100.0)), done(1, "qwen@slow", measured(50.0)))
    daemon.reply("DELETE", "/admin/v1/jobs/job-1", job(1, "qwen@slow", state="cancelled"))
    follow = "appliance.client.Client.follow_job"
    first = iter([iter([done(0, "qwen@fast", measured(100.0))])])

    def interrupted(client: object, job_id: str) -> object:
        if (events := next(first, None)) is None:
            raise KeyboardInterrupt
        return events

    monkeypatch.setattr(follow, interrupted)

    result = appliance("bench", "qwen")

    assert (result.code, result.out) == (130, "")
    assert daemon.last("DELETE", "/admin/v1/jobs/job-1")


def test_without_a_daemon_it_says_so(run: Command) -> None:
    result = run("bench")
    assert result.code == 3
    assert "start one with 'appliance serve'" in result.err
