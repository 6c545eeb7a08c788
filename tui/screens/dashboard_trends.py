"""The figures of the dashboard's trends: filled from the history of a box, then grown from its status. Pure."""

import statistics
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from appliance.core.admin import MachineStatus, Status
from appliance.core.feed import FeedEvent
from appliance.core.history import History, Sample
from appliance.words import tr
from tui.widgets.figures import percent, rate, short_duration, size
from tui.widgets.tones import Tone
from tui.widgets.trend import Trend

NUM_SAMPLES = 75
HOT_CELSIUS = 85.0
FULL_RATIO = 0.92
_COOL_CELSIUS, _WARM_CELSIUS = 20.0, 100.0

T = TypeVar("T", int, float)


class Recent:
    """What the box did in the last minutes, in steps of a history."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=NUM_SAMPLES)
        self._interval_s = 2.0
        self._num_gone = 0
        self._grown_s: float | None = None
        self._status: Status | None = None
        self._begin()

    def _begin(self) -> None:
        self._ttfts_s: list[float] = []
        self._num_prompt_tokens = self._num_cached_tokens = 0

    def fill(self, history: History, now_s: float) -> None:
        """Begin with what the box remembers, at `now_s` of the clock that `grow` is told, too."""
        self._samples = deque(history.samples, maxlen=NUM_SAMPLES)
        self._interval_s = history.interval_s
        self._num_gone = 0
        self._grown_s = now_s
        self._begin()

    def hear(self, events: Iterable[FeedEvent]) -> None:
        """Count requests that ended, for the step that is under way."""
        for event in events:
            timings = event.data.get("timings") if event.type == "request.ended" else None
            if isinstance(timings, dict):
                self._ttfts_s.append(timings["queue_s"] + timings["prefill_s"])
                self._num_prompt_tokens += _whole(event.data.get("prompt_tokens"))
                self._num_cached_tokens += _whole(event.data.get("cached_tokens"))

    def grow(self, status: Status, now_s: float) -> None:
        """Take what the box does now, as a step of its own once the last one is long enough ago."""
        self._status = status
        # The box says once a second how it is: a little less than a step is a step. A clock may be put back.
        if self._grown_s is not None and 0 <= now_s - self._grown_s < self._interval_s - 0.3:
            return
        self._grown_s = now_s
        self._num_gone += len(self._samples) == NUM_SAMPLES
        self._samples.append(self._step(status, now_s))
        self._begin()

    def trends(self) -> tuple[Trend, ...]:
        """Return what can be shown: only what this machine can tell."""
        if self._status is None:
            return ()
        return (*self._of_work(self._status), *self._of_machine(self._status.machine), *self._of_gpus(self._status))

    def _step(self, status: Status, now_s: float) -> Sample:
        machine = status.machine
        return Sample(
            time_s=now_s,
            tokens_per_s=_speed(status),
            ttft_s=statistics.median(self._ttfts_s) if self._ttfts_s else None,
            num_running=status.num_running,
            num_waiting=status.num_waiting,
            cached_ratio=self._num_cached_tokens / self._num_prompt_tokens if self._num_prompt_tokens else None,
            cpu_busy_ratio=machine.cpu_busy_ratio,
            memory_used_bytes=machine.memory_total_bytes - machine.memory_available_bytes,
            temperature_celsius=machine.temperature_celsius,
            power_watts=machine.power_watts,
            gpu_busy_ratio=_known(max, (gpu.busy_ratio for gpu in machine.gpus)),
            gpu_memory_used_bytes=_known(sum, (gpu.memory_used_bytes for gpu in machine.gpus)),
            gpu_celsius=_known(max, (gpu.celsius for gpu in machine.gpus)),
            gpu_watts=_known(sum, (gpu.watts for gpu in machine.gpus)),
        )

    def _of_work(self, status: Status) -> list[Trend]:
        ttfts_s, cached = self._all("ttft_s"), self._all("cached_ratio")
        return [
            self._trend(tr("tokens/s"), rate(_speed(status)), self._all("tokens_per_s"), least_high=1.0),
            self._trend(tr("TTFT"), short_duration(_last(ttfts_s)), ttfts_s),
            self._trend(tr("waiting"), f"{status.num_waiting:,}", self._all("num_waiting"), least_high=4.0),
            self._trend(tr("cached"), percent(_last(cached)), cached, high=1.0),
        ]

    def _of_machine(self, machine: MachineStatus) -> list[Trend]:
        used_bytes = machine.memory_total_bytes - machine.memory_available_bytes
        trends = [
            self._trend(tr("CPU"), percent(machine.cpu_busy_ratio), self._all("cpu_busy_ratio"), high=1.0),
            self._memory(tr("memory"), used_bytes, machine.memory_total_bytes, "memory_used_bytes"),
        ]
        if machine.temperature_celsius is not None:
            trends.append(self._heat(tr("heat"), machine.temperature_celsius, "temperature_celsius"))
        if machine.power_watts is not None:
            values = self._all("power_watts")
            trends.append(self._trend(tr("power"), f"{machine.power_watts:.0f} W", values, least_high=10.0))
        return trends

    def _of_gpus(self, status: Status) -> list[Trend]:
        gpus = status.machine.gpus
        trends = []
        if (busy := _known(max, (gpu.busy_ratio for gpu in gpus))) is not None:
            trends.append(self._trend(tr("GPU"), percent(busy), self._all("gpu_busy_ratio"), high=1.0))
        if (used := _known(sum, (gpu.memory_used_bytes for gpu in gpus))) is not None:
            total = sum(gpu.memory_total_bytes or 0 for gpu in gpus)
            trends.append(self._memory(tr("VRAM"), used, total, "gpu_memory_used_bytes"))
        if (celsius := _known(max, (gpu.celsius for gpu in gpus))) is not None:
            trends.append(self._heat(tr("GPU heat"), celsius, "gpu_celsius"))
        if (watts := _known(sum, (gpu.watts for gpu in gpus))) is not None:
            trends.append(self._trend(tr("GPU power"), f"{watts:.0f} W", self._all("gpu_watts"), least_high=10.0))
        return trends

    def _memory(self, label: str, used_bytes: int, total_bytes: int, field: str) -> Trend:
        is_full = total_bytes > 0 and used_bytes > FULL_RATIO * total_bytes
        tone: Tone = "warning" if is_full else "secondary"
        return self._trend(label, size(used_bytes), self._all(field), high=float(total_bytes) or None, tone=tone)

    def _heat(self, label: str, celsius: float, field: str) -> Trend:
        tone: Tone = "warning" if celsius >= HOT_CELSIUS else "secondary"
        values = self._all(field)
        return self._trend(label, f"{celsius:.0f} °C", values, low=_COOL_CELSIUS, high=_WARM_CELSIUS, tone=tone)

    def _all(self, field: str) -> list[float | None]:
        return [getattr(sample, field) for sample in self._samples]

    def _trend(
        self,
        label: str,
        value: str,
        values: Sequence[float | None],
        *,
        low: float = 0.0,
        high: float | None = None,
        least_high: float = 0.0,
        tone: Tone = "secondary",
    ) -> Trend:
        return Trend(label, value, tuple(values), low, high, least_high, tone, self._num_gone)


def _speed(status: Status) -> float:
    return sum(model.tokens_per_s for model in status.models)


def _last(values: Sequence[float | None]) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _known(take: Callable[[Iterable[T]], T], values: Iterable[T | None]) -> T | None:
    known = [value for value in values if value is not None]
    return take(known) if known else None
