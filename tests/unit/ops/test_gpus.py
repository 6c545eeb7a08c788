"""GPUs are asked while somebody looks, and an unused one may sleep."""

import asyncio

import msgspec

from appliance.core.hardware import Accelerator, AcceleratorReadings
from appliance.ops.gpus import LOOKED_AT_S, Gpus
from tests.fakes import machine

READINGS = (AcceleratorReadings(id="pci:1", busy_ratio=0.5, memory_used_bytes=2**30, celsius=60.0, watts=100.0),)


def gpu(kind: str = "gpu", driver: str | None = "nvidia") -> Accelerator:
    return Accelerator(
        id="pci:1",
        kind="npu" if kind == "npu" else "gpu",
        vendor="nvidia",
        name="RTX",
        driver=driver,
        driver_version=None,
        architecture=None,
        memory_bytes=2**34,
        is_integrated=False,
    )


class Box:
    """GPUs behind a clock that is set, and how often their drivers were asked."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.now_s, self.num_asked = 0.0, 0
        snapshot = msgspec.structs.replace(machine(), accelerators=(accelerator,))
        self.gpus = Gpus(snapshot, self._read, lambda: self.now_s)

    def _read(self) -> tuple[AcceleratorReadings, ...]:
        self.num_asked += 1
        return READINGS

    async def watch(self, *, is_working: bool = False) -> None:
        """Begin one round. The thread that asks ends before the loop does."""
        watching = asyncio.create_task(self.gpus.keep_watch(lambda: is_working))
        for _ in range(3):
            await asyncio.sleep(0)
        watching.cancel()


def test_figures_are_shown_as_long_as_they_are_fresh() -> None:
    box = Box(gpu())
    assert box.gpus.status()[0].busy_ratio is None
    asyncio.run(box.gpus.refresh())
    (status,) = box.gpus.look()
    assert (status.busy_ratio, status.memory_total_bytes, status.watts, status.name) == (0.5, 2**34, 100.0, "RTX")
    box.now_s += LOOKED_AT_S + 1
    assert box.gpus.status()[0].busy_ratio is None


def test_drivers_are_asked_while_somebody_looks_or_something_runs() -> None:
    box = Box(gpu())
    asyncio.run(box.watch())
    assert box.num_asked == 0
    asyncio.run(box.watch(is_working=True))
    assert box.num_asked == 1
    box.gpus.look()
    asyncio.run(box.watch())
    assert box.num_asked == 2
    box.now_s += LOOKED_AT_S + 1
    asyncio.run(box.watch())
    assert box.num_asked == 2


def test_what_has_no_driver_or_is_no_gpu_is_left_out() -> None:
    for accelerator in (gpu("npu"), gpu(driver=None)):
        box = Box(accelerator)
        assert box.gpus.look() == ()
        asyncio.run(box.gpus.keep_watch(lambda: True))
        assert box.num_asked == 0
