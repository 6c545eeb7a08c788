"""Fewer threads while other programs take the cores. Knows a call that sets threads; nothing of models or requests.

The threads of a step wait for each other some hundred times, so one that shares its core with another program holds up
all of them. One thread for each core that is left does better, and leaves the neighbour its own.
"""

import logging
import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import psutil

PERIOD_S = 0.5
"""How often the others' load is read. The kernel counts it in hundredths of a second."""
_STALE_S = 5.0  # over more time than this, a load says more of the past than of now
# Measured with 0.5B parameters on two cores, tokens/s with two threads and with one. Beside a program that works half
# of the time: 49 and 62 for one sequence, 119 and 105 for eight; all of the time: 19 and 63, 71 and 104.
_DROP_CORES, _RAISE_CORES = 0.45, 0.25
# Who fills a core that a thread left may yet give it back to that thread at once: a program of low priority, or one in
# a group that counts for less. No file says which, so now and then all threads try; while they do, others' load shows.
_TRY_AGAIN_S = 10.0
_NOT_BUSY = frozenset({"idle", "iowait", "guest", "guest_nice"})  # a guest's time is within the user's

_log = logging.getLogger(__name__)


class CpuTimes(NamedTuple):
    """Seconds of processor time until now: of all programs together, and of this process."""

    busy_s: float
    own_s: float


def threads_now(measured_threads: int, num_cores: int, others_busy_cores: float, current_threads: int) -> int:
    """Return how many of the threads that are best on a quiet machine to use beside others, at least one.

    A thread gives way when others take nearly half of its core, and comes back when they leave it three quarters. A
    program that wants a whole core may get no more than half of one as long as a thread of ours shares it.
    """
    left_cores = num_cores - others_busy_cores
    most = max(1, min(measured_threads, int(left_cores + _DROP_CORES)))
    least = max(1, min(measured_threads, int(left_cores + _RAISE_CORES)))
    return min(max(current_threads, least), most)


def others_busy_cores(before: CpuTimes, after: CpuTimes, elapsed_s: float) -> float:
    """Return how many cores all programs but this one kept busy on average, the daemon among them."""
    others_s = (after.busy_s - before.busy_s) - (after.own_s - before.own_s)
    return max(others_s, 0.0) / elapsed_s


class ThreadKeeper:
    """Corrects the threads of one model by what others do. Belongs to the thread that takes its steps."""

    def __init__(
        self,
        set_threads: Callable[[int, int], None],
        decode: int,
        prefill: int,
        num_cores: int,
        probe: Callable[[], CpuTimes],
    ) -> None:
        """`decode` and `prefill` are what the model has now, and what it has again when the others are gone."""
        self._set_threads = set_threads
        self._full = self._measured = self._current = (decode, prefill)
        self._num_cores = num_cores
        self._probe = probe
        self._times = CpuTimes(0.0, 0.0)
        self._read_s = self._dropped_s = float("-inf")

    def limit(self, work_ratio: float) -> None:
        """Use no more than this part of the threads from the next step on, at least one of each."""
        decode, prefill = (max(1, round(threads * work_ratio)) for threads in self._full)
        self._measured = decode, prefill
        self._set(self._measured)

    def on_step(self, now_s: float) -> None:
        """Follow a step. Reads the load when it is time, and sets the threads when that changes them."""
        elapsed_s = now_s - self._read_s
        if elapsed_s < PERIOD_S:
            return
        before, self._times, self._read_s = self._times, self._probe(), now_s
        if elapsed_s > _STALE_S:
            return
        if self._current != self._measured and now_s - self._dropped_s >= _TRY_AGAIN_S:
            self._set(self._measured)
        else:
            self._correct(others_busy_cores(before, self._times, elapsed_s), now_s)

    def _correct(self, busy_cores: float, now_s: float) -> None:
        decode, prefill = (
            threads_now(measured, self._num_cores, busy_cores, current)
            for measured, current in zip(self._measured, self._current, strict=True)
        )
        if (decode, prefill) < self._current:
            self._dropped_s = now_s
            _log.debug("others keep %.1f cores busy: decode has %d threads, prefill %d", busy_cores, decode, prefill)
        self._set((decode, prefill))

    def _set(self, threads: tuple[int, int]) -> None:
        if threads != self._current:
            self._current = threads
            self._set_threads(*threads)


def keep_threads(set_threads: Callable[[int, int], None], decode: int, prefill: int) -> ThreadKeeper:
    """Return a keeper for this process, on the processors that it may use. More threads than those are meant so."""
    num_cores = max(len(_allowed_cpus()), decode, prefill)
    return ThreadKeeper(set_threads, decode, prefill, num_cores, process_probe())


def process_probe() -> Callable[[], CpuTimes]:
    """Return what reads the counters of this process and of the processors that it may use, in some 20 µs."""
    allowed = _allowed_cpus()
    is_restricted = len(allowed) < (psutil.cpu_count() or 1)

    def read() -> CpuTimes:
        if is_restricted:
            rows = [row for cpu, row in enumerate(psutil.cpu_times(percpu=True)) if cpu in allowed]
        else:
            rows = [psutil.cpu_times()]
        return CpuTimes(sum(map(busy_seconds, rows)), time.process_time())

    return read


def busy_seconds(counters: Any) -> float:
    """Return how long processors worked, of counters that `psutil.cpu_times` gave."""
    return float(sum(seconds for name, seconds in counters._asdict().items() if name not in _NOT_BUSY))


def _allowed_cpus() -> frozenset[int]:
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(psutil.cpu_count() or 1))
