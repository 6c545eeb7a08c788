"""What llama.cpp says of the GPUs of known machines: reconstructed from the fixtures of the hardware probes.

Names and memory are those of the fixtures; the layout is that of `device_job list`, captured on a software device.
"""

from appliance.backends.llama_cpp.gpus import matched
from appliance.core.devices import DeviceTrial, EngineDevice
from appliance.core.hardware import HardwareSnapshot
from appliance.hardware.probe import probe
from tests.unit.hardware.machines import tree_of

GIB = 2**30
PASSED = DeviceTrial(prefill_ratio=8.0)


def snapshot_of(machine: str) -> HardwareSnapshot:
    """Return the machine of a fixture."""
    return probe(tree_of(machine))


def device(name: str = "CUDA0", free_gib: float = 24, *, is_integrated: bool = False, **more: object) -> EngineDevice:
    """Return a GPU as the library tells of it."""
    return EngineDevice(
        name=name,
        description="a GPU",
        is_integrated=is_integrated,
        total_bytes=24 * GIB,
        free_bytes=int(free_gib * GIB),
        **more,  # type: ignore[arg-type]  # the fields are a dict
    )


def seen_on(machine: str) -> tuple[EngineDevice, ...]:
    """Return the GPUs of a fixture as the library tells of them, matched with the snapshot."""
    return matched(_SEEN[machine], snapshot_of(machine).accelerators)


_SEEN = {
    "rtx-workstation": (
        device("CUDA0", 23.3, accelerator="pci:0000:05:00.0"),
        device("CUDA1", 23.6, accelerator="pci:0000:0a:00.0"),
    ),
    "radeon-workstation": (
        device("ROCm0", 23.8, accelerator="pci:0000:03:00.0"),
        device("ROCm1", 46.0, is_integrated=True, accelerator="pci:0000:0f:00.0"),
    ),
    "core-ultra-laptop": (device("Vulkan0", 23.0, is_integrated=True, accelerator="pci:0000:00:02.0"),),
    "jetson-agx-orin": (device("CUDA0", 55.0),),
}
