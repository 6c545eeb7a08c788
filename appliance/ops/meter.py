"""Reads the machine's vital values again and again, and cheaply: a few of the kernel's files, and no process."""

import threading
import time
from pathlib import Path

import msgspec

from appliance.core.hardware import Temperature
from appliance.hardware.files import Notes, Tree
from appliance.hardware.power import Energy, mean_watts, read_board_watts, read_energy
from appliance.hardware.readings import CpuTimes, busy_ratio, parse_cpu_times
from appliance.hardware.temperatures import read_temperatures


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """The processor's heat and load, and the power of the machine or else of the processor. None: not known."""

    celsius: float | None
    watts: float | None
    busy_ratio: float | None = None


class Meter:
    """Load and power are means since its own last reading, so whoever reads at a pace of his own has one for himself.

    May be read from several threads.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._tree = Tree(root, Notes())
        self._lock = threading.Lock()
        self._energy: Energy | None = None
        self._cpu_times: CpuTimes | None = None

    def read(self) -> Vitals:
        """Return the values now. Waits for the kernel's files: call it from a thread."""
        with self._lock:
            energy, self._energy = self._energy, read_energy(self._tree, time.monotonic(), Notes())
            times, self._cpu_times = self._cpu_times, parse_cpu_times(self._tree.read_text("/proc/stat"))
            return Vitals(
                celsius=processor_celsius(read_temperatures(self._tree)),
                watts=read_board_watts(self._tree) or mean_watts(energy, self._energy, of_platform=False),
                busy_ratio=busy_ratio(times, self._cpu_times),
            )


def processor_celsius(temperatures: tuple[Temperature, ...]) -> float | None:
    """Return the hottest of the processor's sensors; None where none says that it is the processor's."""
    return max((sensor.celsius for sensor in temperatures if is_processors(sensor)), default=None)


def is_processors(sensor: Temperature) -> bool:
    """Return whether a sensor says that it is the processor's."""
    return sensor.sensor.startswith(("CPU", "SoC"))
