"""What the box did in the last minutes, in steps of two seconds: charts are full when they are opened."""

import asyncio
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeVar

from appliance.core.events import RequestAccepted, SystemEvent, TokensEmitted
from appliance.core.history import GpuStatus, History, Sample
from appliance.scheduler.loop import SchedulerLoop

from .gpus import Gpus
from .meter import Meter, Vitals

T = TypeVar("T", int, float)
INTERVAL_S = 2.0
NUM_SAMPLES = 75
MAX_FIRST_TOKENS = 1000
"""First tokens of one step whose times are kept for the median."""


class HistoryLog:
    """Counts events on the scheduler's task, and closes a step when told to. Kept in memory alone."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._clock, self._wall = clock, wall
        self._samples: deque[Sample] = deque(maxlen=NUM_SAMPLES)
        self._began_s = clock()
        self._begin()

    def _begin(self) -> None:
        self._num_tokens = self._num_prompt_tokens = self._num_cached_tokens = 0
        self._ttfts_s: list[float] = []

    def observe(self, event: SystemEvent) -> None:
        """Count what an event says of tokens."""
        if isinstance(event, TokensEmitted):
            self._num_tokens += event.num_tokens
            if event.is_first and len(self._ttfts_s) < MAX_FIRST_TOKENS:
                self._ttfts_s.append(event.interval_s)
        elif isinstance(event, RequestAccepted):
            self._num_prompt_tokens += event.num_prompt_tokens
            self._num_cached_tokens += event.cached_tokens

    def history(self) -> History:
        """Return all steps that are remembered."""
        return History(interval_s=INTERVAL_S, samples=tuple(self._samples))

    def close_step(
        self,
        *,
        num_running: int,
        num_waiting: int,
        vitals: Vitals,
        memory_used_bytes: int,
        gpus: tuple[GpuStatus, ...],
    ) -> None:
        """Remember the step that ends now, and begin the next."""
        now_s = self._clock()
        duration_s, self._began_s = now_s - self._began_s, now_s
        self._samples.append(
            Sample(
                time_s=self._wall(),
                tokens_per_s=self._num_tokens / duration_s if duration_s > 0 else 0.0,
                ttft_s=statistics.median(self._ttfts_s) if self._ttfts_s else None,
                num_running=num_running,
                num_waiting=num_waiting,
                cached_ratio=self._num_cached_tokens / self._num_prompt_tokens if self._num_prompt_tokens else None,
                cpu_busy_ratio=vitals.busy_ratio or 0.0,
                memory_used_bytes=memory_used_bytes,
                temperature_celsius=vitals.celsius,
                power_watts=vitals.watts,
                gpu_busy_ratio=_known(max, (gpu.busy_ratio for gpu in gpus)),
                gpu_memory_used_bytes=_known(sum, (gpu.memory_used_bytes for gpu in gpus)),
                gpu_celsius=_known(max, (gpu.celsius for gpu in gpus)),
                gpu_watts=_known(sum, (gpu.watts for gpu in gpus)),
            )
        )
        self._begin()


class Historian:
    """Closes the steps of a history at their intervals, with what scheduler and machine say then."""

    def __init__(
        self,
        log: HistoryLog,
        scheduler: SchedulerLoop,
        gpus: Gpus,
        memory_used: Callable[[], int],
        meter: Meter | None = None,
    ) -> None:
        self._log, self._scheduler, self._gpus = log, scheduler, gpus
        self._memory_used = memory_used
        self._meter = meter or Meter()

    async def keep_watch(self) -> None:
        """Go on until cancelled."""
        watching = asyncio.create_task(self._gpus.keep_watch(self._is_working))
        try:
            while True:
                await asyncio.sleep(INTERVAL_S)
                await self.sample()
        finally:
            watching.cancel()

    async def sample(self) -> None:
        """Close one step now."""
        vitals, memory_used_bytes = await asyncio.to_thread(lambda: (self._meter.read(), self._memory_used()))
        models = self._scheduler.status()
        self._log.close_step(
            num_running=sum(model.num_running for model in models),
            num_waiting=sum(model.num_waiting for model in models),
            vitals=vitals,
            memory_used_bytes=memory_used_bytes,
            gpus=self._gpus.status(),
        )

    def _is_working(self) -> bool:
        return any(model.num_running for model in self._scheduler.status())


def _known(take: Callable[[Iterable[T]], T], values: Iterable[T | None]) -> T | None:
    known = [value for value in values if value is not None]
    return take(known) if known else None
