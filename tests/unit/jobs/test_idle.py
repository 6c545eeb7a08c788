"""Work for an idle machine begins when nobody needs it, and makes way for the first who does."""

from dataclasses import dataclass, field

import pytest

from appliance.core.easing import FULL, Easing
from appliance.core.events import ModelState, ModelStateChanged, RequestEnded, RequestQueued
from appliance.core.jobs import Job, JobId
from appliance.core.request import RequestId
from appliance.jobs.idle import QUIET_S, Conditions, IdleGate
from appliance.jobs.traffic import Traffic

JOB = Job(id=JobId("job-1"), kind="calibrate", arguments={}, caller="", created_s=0.0)


@dataclass
class Box:
    """A machine whose time, load, heat and memory the test sets."""

    now_s: float = 1000.0
    is_busy: bool = False
    easing: Easing = FULL
    free_bytes: int = 100
    num_stops: int = 0
    traffic: Traffic = field(init=False)
    gate: IdleGate = field(init=False)

    def __post_init__(self) -> None:
        self.traffic = Traffic(lambda: self.now_s)
        self.traffic.interrupt(self.stop)
        conditions = Conditions(
            is_busy=lambda: self.is_busy,
            easing=lambda: self.easing,
            free_bytes=lambda: self.free_bytes,
            needed_bytes=lambda job: 100,
        )
        self.gate = IdleGate(self.traffic, conditions)

    def stop(self) -> None:
        self.num_stops += 1

    def ask(self, model: str = "qwen:latest") -> None:
        self.traffic.observe(RequestQueued(id=RequestId("1"), model=model, caller="ada", priority="interactive"))

    def wait(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def box() -> Box:
    return Box()


def change(state: ModelState) -> ModelStateChanged:
    return ModelStateChanged(model="qwen:latest", state=state, reason="")


def test_it_begins_after_half_a_minute_without_requests(box: Box) -> None:
    box.wait(QUIET_S - 1)
    assert box.gate.obstacle(JOB) == "30 s in which nobody asks for anything"
    box.wait(1)
    assert box.gate.allows(JOB)
    box.ask()
    assert not box.gate.allows(JOB)


def test_a_request_stops_it_at_once_and_its_end_does_not(box: Box) -> None:
    box.ask()
    assert box.num_stops == 1
    box.traffic.observe(
        RequestEnded(id=RequestId("1"), model="qwen:latest", caller="ada", outcome="stop", duration_s=1.0)
    )
    assert box.num_stops == 1


def test_a_model_that_is_loaded_is_traffic_and_one_that_leaves_is_not(box: Box) -> None:
    box.wait(QUIET_S)
    box.traffic.observe(change("stopped"))
    assert box.gate.allows(JOB)
    box.traffic.observe(change("loading"))
    assert box.num_stops == 1
    assert not box.gate.allows(JOB)


def test_the_half_minute_begins_with_the_last_answer(box: Box) -> None:
    box.ask()
    box.is_busy = True
    box.wait(2 * QUIET_S)
    assert box.gate.obstacle(JOB) == "the answers under way"
    box.is_busy = False
    box.wait(QUIET_S - 1)
    assert not box.gate.allows(JOB)


def test_what_a_person_waits_for_begins_as_soon_as_nothing_runs(box: Box) -> None:
    box.gate.hurry(JOB.id)
    box.is_busy = True
    assert not box.gate.allows(JOB)
    box.is_busy = False
    assert box.gate.allows(JOB)


@pytest.mark.parametrize("is_hurried", [False, True])
def test_nothing_is_measured_on_a_hot_machine_or_its_battery(box: Box, is_hurried: bool) -> None:
    if is_hurried:
        box.gate.hurry(JOB.id)
    box.wait(QUIET_S)
    box.easing = Easing(work_ratio=0.5, holds_batch=True, reason="the machine lives on its battery")
    assert box.gate.obstacle(JOB) == "the machine to work with full force: the machine lives on its battery"
    assert not box.gate.is_quiet()


def test_it_never_begins_without_memory_for_another_copy(box: Box) -> None:
    box.wait(QUIET_S)
    box.free_bytes = 99
    assert box.gate.obstacle(JOB) == "100 B of memory; 99 B may be used"
    box.free_bytes = 100
    assert box.gate.allows(JOB)


def test_models_that_were_asked_last_come_first(box: Box) -> None:
    for model in ("a:latest", "b:latest@echo", "c:latest", "a:latest"):
        box.ask(model)
        box.wait(1)
    assert box.traffic.recent_models() == ["a:latest", "c:latest", "b:latest"]
