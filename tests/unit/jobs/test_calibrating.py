"""One calibration after the other is given in while nobody needs the machine, and those that people want at once."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import msgspec
import pytest

from appliance.core.calibration import CalibrateArguments
from appliance.core.easing import FULL
from appliance.core.events import RequestQueued
from appliance.core.jobs import Job, JobError, JobId
from appliance.core.request import RequestId
from appliance.jobs.calibrating import SCAN_EVERY, Calibrating
from appliance.jobs.idle import QUIET_S, Conditions, IdleGate
from appliance.jobs.traffic import Traffic
from tests.fakes import load_plan


class FakeJobs:
    """Jobs that end when the test says so."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.num_looks = self.num_stops = 0

    @property
    def candidates(self) -> list[tuple[object, str]]:
        return [(job.arguments["candidate"], job.caller) for job in self.jobs.values()]

    async def submit(self, kind: str, arguments: Any, caller: str) -> Job:
        id = JobId(f"job-{len(self.jobs)}")
        self.jobs[id] = Job(id=id, kind=kind, arguments=msgspec.to_builtins(arguments), caller=caller, created_s=0.0)
        return self.jobs[id]

    async def newest(self) -> list[Job]:
        return list(self.jobs.values())

    async def get(self, id: str) -> Job:
        return self.jobs[id]

    def end(self, **changes: Any) -> None:
        """End the newest."""
        id = max(self.jobs)
        self.jobs[id] = msgspec.structs.replace(self.jobs[id], **changes)

    def look_again(self) -> None:
        self.num_looks += 1

    def make_way(self) -> None:
        self.num_stops += 1


class FakeBenchmarks:
    """Some models, each with one way of running it."""

    def __init__(self) -> None:
        self.left = ["a@x", "b@x", "c@x"]
        self.given_up: list[str] = []
        self.num_scans = 0

    def due(self, first: Sequence[str], skipped: frozenset[str]) -> CalibrateArguments | None:
        self.num_scans += 1
        left = sorted(self.left, key=lambda candidate: candidate.partition("@")[0] not in first)
        return next((_order(candidate) for candidate in left if candidate not in skipped), None)

    def orders(self, model: str, backends: Sequence[str]) -> tuple[CalibrateArguments, ...]:
        return tuple(_order(f"{model}@{backend}") for backend in backends or ("x", "y"))

    def give_up(self, job: Job) -> None:
        self.given_up.append(str(job.arguments["candidate"]))


def _order(candidate: str) -> CalibrateArguments:
    return CalibrateArguments(candidate=candidate, plan=load_plan(candidate))


class FakeInstalled:
    """Names that mean themselves."""

    def resolve(self, name: str | None) -> str:
        return name or "default"


class Box:
    """All of it, on a clock of the test's."""

    def __init__(self, *, is_on: bool = True) -> None:
        self.now_s = 0.0
        self.jobs, self.benchmarks = FakeJobs(), FakeBenchmarks()
        self.traffic = Traffic(lambda: self.now_s)
        conditions = Conditions(
            is_busy=lambda: False, easing=lambda: FULL, free_bytes=lambda: 1, needed_bytes=lambda job: 1
        )
        parts: tuple[Any, ...] = (self.jobs, self.traffic, IdleGate(self.traffic, conditions), self.benchmarks)
        self.calibrating = Calibrating(*parts, FakeInstalled(), is_on=is_on, pause=self.pause, now=lambda: 50.0)
        self.num_pauses = 0

    async def pause(self, seconds: float) -> None:
        self.num_pauses += 1
        if self.num_pauses == 2:
            raise asyncio.CancelledError

    def look(self, num_looks: int = 1) -> None:
        for _ in range(num_looks):
            self.do(self.calibrating.look())

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run(work)


@pytest.fixture
def box() -> Box:
    quiet = Box()
    quiet.now_s = QUIET_S
    return quiet


def test_nothing_is_given_in_before_it_is_quiet(box: Box) -> None:
    box.now_s -= 1
    box.look()
    assert box.jobs.candidates == []
    box.now_s += 1
    box.look()
    assert box.jobs.candidates == [("a@x", "")]


def test_one_is_given_in_after_the_other(box: Box) -> None:
    box.look(3 * SCAN_EVERY)
    assert len(box.jobs.jobs) == 1
    box.benchmarks.left.remove("a@x")
    box.jobs.end(state="done")
    box.look()
    assert box.jobs.candidates == [("a@x", ""), ("b@x", "")]


def test_the_model_that_was_asked_last_goes_first(box: Box) -> None:
    box.traffic.observe(RequestQueued(id=RequestId("1"), model="b", caller="ada", priority="interactive"))
    box.now_s += QUIET_S
    box.look()
    assert box.jobs.candidates == [("b@x", "")]


def test_where_all_is_measured_it_looks_seldom(box: Box) -> None:
    box.benchmarks.left = []
    box.look(2 * SCAN_EVERY)
    assert (box.benchmarks.num_scans, box.jobs.num_looks) == (2, 2 * SCAN_EVERY)


def test_one_that_failed_is_given_up_and_one_that_was_cancelled_waits_for_the_next_daemon(box: Box) -> None:
    box.look()
    box.jobs.end(state="failed", error=JobError(message="it crashed"))
    box.benchmarks.left.remove("a@x")
    box.look()
    box.jobs.end(state="cancelled")
    box.look()
    assert box.benchmarks.given_up == ["a@x"]
    assert [candidate for candidate, _ in box.jobs.candidates] == ["a@x", "b@x", "c@x"]


def test_switched_off_only_what_is_asked_for_is_measured() -> None:
    box = Box(is_on=False)
    box.now_s = QUIET_S
    box.look()
    assert (box.jobs.candidates, box.jobs.num_looks) == ([], 1)
    box.do(box.calibrating.order("a", (), "ada"))
    assert box.jobs.candidates == [("a@x", "ada"), ("a@y", "ada")]


def test_what_a_person_asks_for_waits_for_no_quiet(box: Box) -> None:
    box.now_s = 0.0
    answer = box.do(box.calibrating.order(None, ("x",), "ada"))
    assert (answer.model, answer.waits_for, len(answer.jobs)) == ("default", None, 1)
    assert box.jobs.num_looks == 1


def test_from_the_start_of_the_watch_a_request_stops_what_runs(box: Box) -> None:
    with pytest.raises(asyncio.CancelledError):
        box.do(box.calibrating.keep_watch())
    box.traffic.observe(RequestQueued(id=RequestId("1"), model="b", caller="ada", priority="interactive"))
    assert (box.jobs.num_stops, box.num_pauses) == (1, 2)


def test_what_daemons_died_of_is_given_up_when_the_next_one_finds_it(box: Box) -> None:
    for ended_s, num_interruptions in ((49.0, 3), (51.0, 3), (52.0, 0)):
        box.do(box.jobs.submit("calibrate", _order(f"a@{ended_s}"), ""))
        box.jobs.end(state="failed", ended_s=ended_s, num_interruptions=num_interruptions)
    with pytest.raises(asyncio.CancelledError):
        box.do(box.calibrating.keep_watch())
    assert box.benchmarks.given_up == ["a@51.0"]
