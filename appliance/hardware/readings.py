"""What the machine does now: load, clock, memory, heat, throttling, power, accelerators.

Some of it is a difference between two readings, so the probe keeps the reading before.
"""

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from appliance.core.hardware import HardwareReadings
from appliance.hardware.accelerators import read_accelerators
from appliance.hardware.clocks import read_mhz
from appliance.hardware.files import Notes, Tree
from appliance.hardware.memory import memory_available_bytes, parse_meminfo
from appliance.hardware.power import Energy, mean_watts, read_board_watts, read_energy, read_supply
from appliance.hardware.temperatures import read_temperatures
from appliance.hardware.throttling import read_throttling


class CpuTimes(msgspec.Struct, frozen=True):
    """Time of all processors since the start, in the kernel's ticks."""

    busy: int
    total: int


class ReadingsProbe:
    """Reads the machine under `root`, again and again. May be called from several threads; each waits for its turn."""

    def __init__(
        self, root: Path = Path("/"), *, timeout_s: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._root = root
        self._timeout_s = timeout_s
        self._clock = clock
        self._lock = threading.Lock()
        self._cpu_times: CpuTimes | None = None
        self._energy: Energy | None = None
        self._throttle_counts: dict[str, int] = {}

    def read(self) -> HardwareReadings:
        """Return what the machine does now. Never raises: what could not be read is None."""
        with self._lock:
            return self._read()

    def _read(self) -> HardwareReadings:
        notes = Notes()
        # A sensor that is asleep or broken is no news: only what can be mended becomes a note.
        tree = Tree(self._root, Notes())
        energy_before, self._energy = self._energy, read_energy(tree, self._clock(), notes)
        cpu_times_before, self._cpu_times = self._cpu_times, parse_cpu_times(tree.read_text("/proc/stat"))
        throttling = read_throttling(tree, self._throttle_counts)
        self._throttle_counts = throttling.counts
        supply = read_supply(tree)
        sizes = parse_meminfo(tree.read_text("/proc/meminfo"))
        platform_watts = mean_watts(energy_before, self._energy, of_platform=True)
        return HardwareReadings(
            cpu_busy_ratio=busy_ratio(cpu_times_before, self._cpu_times),
            load_average_1_min=parse_load(tree.read_text("/proc/loadavg")),
            cpu_mhz=read_mhz(tree),
            memory_available_bytes=memory_available_bytes(self._root),
            swap_used_bytes=sizes["SwapTotal"] - sizes["SwapFree"]
            if {"SwapTotal", "SwapFree"} <= sizes.keys()
            else None,
            temperatures=read_temperatures(tree),
            is_throttled=throttling.is_throttled,
            throttling=throttling.reasons,
            cpu_watts=mean_watts(energy_before, self._energy, of_platform=False),
            system_watts=read_board_watts(tree) or platform_watts or supply.battery_watts,
            power_source=supply.source,
            battery_ratio=supply.battery_ratio,
            accelerators=read_accelerators(self._root, self._timeout_s, notes),
            notes=notes.as_tuple(),
        )


def parse_cpu_times(text: str) -> CpuTimes | None:
    """Return the times of all processors together from the text of `/proc/stat`.

    Source: proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal; a guest's time is in user already.
    """
    line = re.match(r"cpu +((?:\d{1,18} ?){4,10})", text, re.ASCII)
    if line is None:
        return None
    ticks = [int(word) for word in line[1].split()][:8]
    idle = ticks[3] + (ticks[4] if len(ticks) > 4 else 0)
    return CpuTimes(busy=sum(ticks) - idle, total=sum(ticks))


def busy_ratio(before: CpuTimes | None, now: CpuTimes | None) -> float | None:
    """Return how busy the processors were between two readings, 0 to 1."""
    if before is None or now is None or now.total <= before.total:
        return None
    return min(max((now.busy - before.busy) / (now.total - before.total), 0.0), 1.0)


def parse_load(text: str) -> float | None:
    """Return the mean over one minute from the text of `/proc/loadavg`."""
    first = text.partition(" ")[0]
    return float(first) if re.fullmatch(r"\d{1,6}\.\d{1,4}", first, re.ASCII) else None
