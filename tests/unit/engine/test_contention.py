"""Threads give way to other programs, and come back."""

import time
from typing import NamedTuple

import pytest

from appliance.engine.contention import (
    PERIOD_S,
    CpuTimes,
    ThreadKeeper,
    busy_seconds,
    keep_threads,
    process_probe,
    threads_now,
)


class Machine:
    """A machine on which others keep `others` cores busy, always or beside each number of our threads."""

    def __init__(self, num_cores: int = 2, decode: int = 2, prefill: int = 2) -> None:
        self.others: float | dict[int, float] = 0.0
        self.threads = [(decode, prefill)]
        self.now_s = 1000.0
        self.num_readings = 0
        self._times = CpuTimes(500.0, 3.0)
        self._keeper = ThreadKeeper(self._set_threads, decode, prefill, num_cores, self)

    def __call__(self) -> CpuTimes:
        self.num_readings += 1
        return self._times

    def _set_threads(self, decode: int, prefill: int) -> None:
        self.threads.append((decode, prefill))

    def limit(self, work_ratio: float) -> None:
        self._keeper.limit(work_ratio)

    def run(self, seconds: float, step_s: float = 0.05, own_cores: float = 1.5) -> None:
        for _ in range(round(seconds / step_s)):
            self.now_s += step_s
            busy_s, own_s = self._times
            others = self.others if isinstance(self.others, float) else self.others[self.threads[-1][0]]
            self._times = CpuTimes(busy_s + (others + own_cores) * step_s, own_s + own_cores * step_s)
            self._keeper.on_step(self.now_s)


@pytest.mark.parametrize(
    ("measured", "num_cores", "others", "current", "expected"),
    [
        (2, 2, 0.0, 2, 2),
        (2, 2, 0.4, 2, 2),  # the daemon and its clients
        (2, 2, 0.5, 2, 1),  # half of a core: all that a program gets beside a thread that wants it, too
        (2, 2, 1.0, 1, 1),
        (2, 2, 0.4, 1, 1),  # not enough for a thread that left
        (2, 2, 0.2, 1, 2),
        (2, 2, 1.9, 2, 1),  # one is the least
        (8, 8, 0.9, 8, 7),
        (8, 8, 4.0, 8, 4),
        (8, 8, 4.0, 2, 4),  # others left in part
        (4, 8, 3.0, 4, 4),  # there were cores to spare
        (1, 2, 1.0, 1, 1),
    ],
)
def test_a_thread_gives_way_for_half_a_core_and_comes_back_for_three_quarters(
    measured: int, num_cores: int, others: float, current: int, expected: int
) -> None:
    assert threads_now(measured, num_cores, others, current) == expected


def test_a_neighbour_takes_a_thread_within_two_readings_and_gives_it_back_when_it_ends() -> None:
    machine = Machine()
    machine.run(10)
    assert machine.threads == [(2, 2)]
    machine.others = 0.6
    machine.run(2 * PERIOD_S)
    assert machine.threads == [(2, 2), (1, 1)]
    machine.others = 1.0
    machine.run(9)
    assert len(machine.threads) == 2
    machine.others = 0.0
    machine.run(2 * PERIOD_S)
    assert machine.threads == [(2, 2), (1, 1), (2, 2)]


def test_a_neighbour_that_only_takes_what_is_left_costs_no_thread_for_long() -> None:
    machine = Machine()
    machine.others = 1.0  # while nothing is computed here, nobody takes a core from it
    machine.run(4, step_s=4, own_cores=0.0)
    machine.run(2 * PERIOD_S)
    assert machine.threads[-1] == (1, 1)
    machine.others = {1: 1.0, 2: 0.05}
    machine.run(60)
    assert machine.threads == [(2, 2), (1, 1), (2, 2)]


def test_beside_a_neighbour_that_stays_all_threads_try_for_one_reading_in_ten_seconds() -> None:
    machine = Machine()
    machine.others = 1.0
    machine.run(60)
    assert machine.threads[1::2] == [(1, 1)] * 6
    assert machine.threads[2::2] == [(2, 2)] * 5


def test_decoding_and_prefill_are_corrected_each_by_what_is_best_for_it() -> None:
    machine = Machine(num_cores=8, decode=4, prefill=8)
    machine.others = 3.0
    machine.run(2 * PERIOD_S)
    assert machine.threads[-1] == (4, 5)


def test_a_load_that_wavers_between_the_borders_changes_nothing() -> None:
    machine = Machine()
    for others in (0.6, 0.4, 0.3, 0.5, 0.3):
        machine.others = others
        machine.run(2 * PERIOD_S)
    assert machine.threads == [(2, 2), (1, 1)]


def test_the_counters_are_read_twice_a_second_however_short_the_steps() -> None:
    machine = Machine()
    machine.run(10, step_s=0.002)
    assert 19 <= machine.num_readings <= 21


def test_what_others_did_in_a_long_pause_is_not_what_they_do_now() -> None:
    machine = Machine()
    machine.run(1)
    machine.others = 2.0
    machine.run(60, step_s=60, own_cores=0.0)
    machine.others = 0.0
    machine.run(5)
    assert machine.threads == [(2, 2)]


def test_the_probe_tells_this_process_from_others() -> None:
    probe = process_probe()
    before, end_s = probe(), time.process_time() + 0.3
    while time.process_time() < end_s:
        pass
    after = probe()
    assert after.own_s - before.own_s == pytest.approx(0.3, abs=0.05)
    assert after.busy_s - before.busy_s >= 0.2


class Counters(NamedTuple):
    """The fields of `psutil.cpu_times` on Linux."""

    user: float = 100.0
    nice: float = 20.0
    system: float = 30.0
    idle: float = 5000.0
    iowait: float = 400.0
    irq: float = 1.0
    softirq: float = 2.0
    steal: float = 4.0
    guest: float = 50.0
    guest_nice: float = 10.0


def test_a_processor_is_busy_also_with_interrupts_and_with_what_the_host_takes() -> None:
    assert busy_seconds(Counters()) == 157.0


def test_more_threads_than_processors_stay_on_a_quiet_machine() -> None:
    changes: list[tuple[int, int]] = []
    keeper = keep_threads(lambda decode, prefill: changes.append((decode, prefill)), 4096, 4096)
    keeper.on_step(0.0)
    keeper.on_step(4.9)
    assert not changes


def test_a_hot_machine_uses_fewer_threads_until_it_has_cooled() -> None:
    machine = Machine(num_cores=8, decode=4, prefill=8)
    machine.limit(0.5)
    assert machine.threads[-1] == (2, 4)
    machine.run(30)
    assert machine.threads[-1] == (2, 4)  # trying all of them again means all that are allowed
    machine.limit(0.1)
    assert machine.threads[-1] == (1, 1)
    machine.limit(1.0)
    assert machine.threads[-1] == (4, 8)


def test_others_take_cores_from_a_hot_machine_as_from_any() -> None:
    machine = Machine(num_cores=4, decode=4, prefill=4)
    machine.limit(0.75)
    machine.others = 3.0
    machine.run(5)
    assert machine.threads[-1] == (1, 1)
