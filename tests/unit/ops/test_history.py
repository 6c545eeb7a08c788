"""What the box did lately: each step holds what happened in it, and the oldest go."""

import asyncio

import pytest

from appliance.core.events import RequestAccepted, TokensEmitted
from appliance.core.history import GpuStatus
from appliance.core.request import RequestId
from appliance.ops.gpus import Gpus
from appliance.ops.history import NUM_SAMPLES, Historian, HistoryLog
from appliance.ops.meter import Meter, Vitals
from tests.fakes import FakeScheduler, loaded_status, machine
from tests.unit.hardware.machines import tree_of

NO_VITALS = Vitals(celsius=None, watts=None)


class Clock:
    """A clock that is set."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def gpu(busy_ratio: float | None, watts: float | None) -> GpuStatus:
    return GpuStatus(
        id="g", name=None, busy_ratio=busy_ratio, memory_used_bytes=2, memory_total_bytes=4, celsius=None, watts=watts
    )


def close(log: HistoryLog, *gpus: GpuStatus) -> None:
    log.close_step(num_running=0, num_waiting=0, vitals=NO_VITALS, memory_used_bytes=1, gpus=gpus)


def test_a_rate_is_over_the_time_that_the_step_took() -> None:
    clock = Clock()
    log = HistoryLog(clock, lambda: 1000.0)
    for ttft_s in (0.1, 0.3, 9.0):
        log.observe(TokensEmitted(id=RequestId("r"), model="m", num_tokens=2, interval_s=ttft_s, is_first=True))
    log.observe(RequestAccepted(id=RequestId("r"), model="m", num_prompt_tokens=10, cached_tokens=5, queue_s=0.0))
    clock.now_s = 3.0
    close(log)
    (sample,) = log.history().samples
    assert (sample.time_s, sample.tokens_per_s, sample.ttft_s, sample.cached_ratio) == (1000.0, 2.0, 0.3, 0.5)


def test_gpus_are_told_together_and_what_none_says_is_none() -> None:
    log = HistoryLog(Clock())
    close(log, gpu(0.25, 10.0), gpu(0.5, None))
    close(log)
    first, second = log.history().samples
    assert (first.gpu_busy_ratio, first.gpu_memory_used_bytes, first.gpu_watts) == (0.5, 4, 10.0)
    assert (first.gpu_celsius, second.gpu_busy_ratio, second.gpu_memory_used_bytes) == (None, None, None)


def test_the_oldest_steps_go() -> None:
    clock = Clock()
    log = HistoryLog(clock, clock)
    for clock.now_s in range(NUM_SAMPLES + 5):
        close(log)
    samples = log.history().samples
    assert (len(samples), samples[0].time_s, samples[-1].time_s) == (NUM_SAMPLES, 5, NUM_SAMPLES + 4)


def test_a_step_holds_what_scheduler_and_machine_say_at_its_end() -> None:
    scheduler = FakeScheduler()
    scheduler.statuses = (loaded_status("a"), loaded_status("b"))
    log = HistoryLog()
    meter = Meter(tree_of("raspberry-pi-4"))
    historian = Historian(log, scheduler, Gpus(machine(), tuple), lambda: 7, meter)  # type: ignore[arg-type]  # a fake
    asyncio.run(historian.sample())
    (sample,) = log.history().samples
    assert (sample.num_running, sample.num_waiting, sample.memory_used_bytes) == (2, 4, 7)
    assert sample.temperature_celsius == pytest.approx(48.686)
