"""Intel's GPUs from the files of the i915 and xe drivers. NPUs of Intel are in `npu.py`."""

from collections.abc import Iterable, Iterator

from appliance.core.hardware import Accelerator, AcceleratorReadings
from appliance.hardware.accelerators.pci import PciDevice, pci_name
from appliance.hardware.accelerators.sensors import hwmon_folders
from appliance.hardware.files import Tree

# The graphics of Intel's processors always are this device of the first bus; cards stand behind a bridge.
_INTEGRATED_ADDRESS = "0000:00:02.0"


def probe(tree: Tree, devices: Iterable[PciDevice]) -> Iterator[Accelerator]:
    """Yield Intel's GPUs among `devices`."""
    for device in devices:
        if device.vendor == "intel" and device.kind == "gpu":
            yield Accelerator(
                id=device.id,
                kind="gpu",
                vendor="intel",
                name=pci_name(tree, device),
                driver=device.driver,
                driver_version=tree.read_line(f"/sys/module/{device.driver}/version") if device.driver else None,
                architecture=None,
                memory_bytes=_memory_bytes(tree, device),
                is_integrated=device.address == _INTEGRATED_ADDRESS,
            )


def read(tree: Tree, devices: Iterable[PciDevice]) -> Iterator[AcceleratorReadings]:
    """Yield what Intel's GPUs among `devices` do now, as far as their sensors show it.

    How busy they are stands in no file: only the performance counters tell, and those belong to root.
    """
    for device in devices:
        if device.vendor == "intel" and device.kind == "gpu":
            celsius = _package_celsius(tree, device)
            used_bytes = _used_bytes(tree, device)
            if celsius is not None or used_bytes is not None:
                yield AcceleratorReadings(
                    id=device.id, busy_ratio=None, memory_used_bytes=used_bytes, celsius=celsius, watts=None
                )


def _memory_bytes(tree: Tree, device: PciDevice) -> int | None:
    """Return a card's own memory.

    Source: `physical_vram_size_bytes` as IGT's xe_sysfs_tile test reads it, `lmem_total_bytes` as in Intel's own
    releases of i915. The kernel's i915 has no such file: then it is not known.
    """
    tiles = [name for name in tree.list_dir(device.folder) if name.startswith("tile")]
    sizes = [
        tree.read_int(f"{device.folder}/{tile}/{name}")
        for tile in tiles
        for name in ("physical_vram_size_bytes", "memory/physical_vram_size_bytes")
    ]
    return sum(filter(None, sizes)) or _card_int(tree, device, "lmem_total_bytes")


def _used_bytes(tree: Tree, device: PciDevice) -> int | None:
    total_bytes = _card_int(tree, device, "lmem_total_bytes")
    free_bytes = _card_int(tree, device, "lmem_avail_bytes")
    return None if total_bytes is None or free_bytes is None else max(0, total_bytes - free_bytes)


def _card_int(tree: Tree, device: PciDevice, name: str) -> int | None:
    cards = (card for card in tree.list_dir(f"{device.folder}/drm") if card.startswith("card"))
    return next((tree.read_int(f"{device.folder}/drm/{card}/{name}") for card in cards), None)


def _package_celsius(tree: Tree, device: PciDevice) -> float | None:
    """Return the chip's temperature. xe labels its sensors `pkg` and `vram`; i915 has one without a label."""
    for folder in hwmon_folders(tree, device.folder):
        for name in ("temp2", "temp1"):
            millidegrees = tree.read_int(f"{folder}/{name}_input")
            if millidegrees is not None and tree.read_line(f"{folder}/{name}_label") in (None, "pkg"):
                return millidegrees / 1000
    return None
