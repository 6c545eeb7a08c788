"""What the GPUs do, while somebody looks or something runs. Otherwise nobody asks their drivers: they may sleep."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from appliance.core.hardware import Accelerator, AcceleratorReadings, HardwareSnapshot
from appliance.core.history import GpuStatus
from appliance.hardware.accelerators import read_accelerators
from appliance.hardware.files import Notes

INTERVAL_S = 2.0
TIMEOUT_S = 5.0
LOOKED_AT_S = 30.0
"""How long a look counts, and how old a figure may be that is still shown."""


def read_all() -> tuple[AcceleratorReadings, ...]:
    """Ask all drivers, in a child process. Waits: call it from a thread."""
    return read_accelerators(Path("/"), TIMEOUT_S, Notes())


class Gpus:
    """Owns the newest figures of the GPUs that a driver is bound to."""

    def __init__(
        self,
        snapshot: HardwareSnapshot,
        read: Callable[[], tuple[AcceleratorReadings, ...]] = read_all,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gpus = tuple(each for each in snapshot.accelerators if each.kind == "gpu" and each.driver is not None)
        self._read, self._clock = read, clock
        self._looked_s = float("-inf")
        self._read_s = float("-inf")
        self._readings: dict[str, AcceleratorReadings] = {}

    def look(self) -> tuple[GpuStatus, ...]:
        """Return what is known now, and have it kept fresh for a while."""
        self._looked_s = self._clock()
        return self.status()

    def status(self) -> tuple[GpuStatus, ...]:
        """Return what is known now."""
        is_fresh = self._clock() - self._read_s <= LOOKED_AT_S
        return tuple(_status(gpu, self._readings.get(gpu.id) if is_fresh else None) for gpu in self._gpus)

    async def keep_watch(self, is_working: Callable[[], bool]) -> None:
        """Ask the drivers at intervals, while there is a reason to. Ends at once where there is no GPU."""
        while self._gpus:
            if is_working() or self._clock() - self._looked_s <= LOOKED_AT_S:
                await self.refresh()
            await asyncio.sleep(INTERVAL_S)

    async def refresh(self) -> None:
        """Ask the drivers now."""
        readings = await asyncio.to_thread(self._read)
        self._readings, self._read_s = {each.id: each for each in readings}, self._clock()


def _status(gpu: Accelerator, now: AcceleratorReadings | None) -> GpuStatus:
    return GpuStatus(
        id=gpu.id,
        name=gpu.name,
        busy_ratio=now.busy_ratio if now else None,
        memory_used_bytes=now.memory_used_bytes if now else None,
        memory_total_bytes=gpu.memory_bytes,
        celsius=now.celsius if now else None,
        watts=now.watts if now else None,
    )
