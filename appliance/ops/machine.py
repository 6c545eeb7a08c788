"""The daemon's machine: what it is, asked once at the start, and what it does, asked fresh each time."""

import threading
from collections.abc import Callable
from pathlib import Path

from appliance.core.easing import Strain
from appliance.core.hardware import Bandwidth, Hardware, HardwareSnapshot, Temperature
from appliance.hardware.bandwidth import measure_bandwidth
from appliance.hardware.files import Notes, Tree
from appliance.hardware.power import read_supply
from appliance.hardware.readings import ReadingsProbe
from appliance.hardware.temperatures import read_temperatures
from appliance.hardware.throttling import read_throttling

from .meter import Meter, Vitals, is_processors

_PI_LIMIT_CELSIUS = 80.0
"""Where the firmware of a Raspberry Pi begins to lower the clock; its sensor's own limit is where it switches off.

Source: Raspberry Pi documentation, "Frequency management and thermal control".
"""


class Machine:
    """Answers for the machine under `root`. Its methods wait for files and drivers: call them from a thread."""

    def __init__(
        self,
        snapshot: HardwareSnapshot,
        root: Path = Path("/"),
        *,
        measure: Callable[[int], Bandwidth] = measure_bandwidth,
    ) -> None:
        self._snapshot = snapshot
        self._tree = Tree(root, Notes())
        self._readings = ReadingsProbe(root)
        self._measure = measure
        self._measuring = threading.Lock()
        self._meter = Meter(root)
        self._counting = threading.Lock()
        self._throttle_counts: dict[str, int] = {}
        self.bandwidth: Bandwidth | None = None
        """What was measured last; None: not yet."""

    def hardware(self, *, with_bandwidth: bool = False) -> Hardware:
        """Return all that is known. Raises: ApplianceError, when the bandwidth cannot be measured."""
        return Hardware(
            snapshot=self._snapshot,
            readings=self._readings.read(),
            bandwidth=self.measure_bandwidth() if with_bandwidth else None,
        )

    def vitals(self) -> Vitals:
        """Return what the kernel's files say; starts no process. Power may be the mean since the last call."""
        return self._meter.read()

    def strain(self) -> Strain:
        """Return what speaks against full work, by the kernel's files; starts no process. Counters are compared with
        those of the call before."""
        with self._counting:
            throttling = read_throttling(self._tree, self._throttle_counts)
            self._throttle_counts = throttling.counts
            supply = read_supply(self._tree)
            is_pi = self._snapshot.board is not None and self._snapshot.board.family == "raspberry_pi"
            limit_celsius = _PI_LIMIT_CELSIUS if is_pi else None
            return Strain(
                headroom_celsius=headroom_celsius(read_temperatures(self._tree), limit_celsius),
                is_throttled=throttling.is_throttled,
                throttling=throttling.reasons,
                power_source=supply.source,
                battery_ratio=supply.battery_ratio,
            )

    def measure_bandwidth(self) -> Bandwidth:
        """Read the memory on all cores for a second. Raises: ApplianceError."""
        with self._measuring:  # two at once would halve each other's figure
            self.bandwidth = self._measure(self._snapshot.processor.usable_cores)
            return self.bandwidth


def headroom_celsius(temperatures: tuple[Temperature, ...], limit_celsius: float | None) -> float | None:
    """Return how far the processor's sensors are from their limit, the nearest; `limit_celsius` where theirs says less.

    None where no sensor is the processor's, or none knows a limit.
    """
    limits = ((sensor, limit_celsius or sensor.limit_celsius) for sensor in temperatures if is_processors(sensor))
    return min((limit - sensor.celsius for sensor, limit in limits if limit is not None), default=None)
