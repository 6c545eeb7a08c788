"""NPUs: on PCI with their driver or without, Rockchip's from the device tree, and what else the accel class lists."""

import re
from collections.abc import Iterable, Iterator
from typing import Literal

from appliance.core.hardware import Accelerator, AcceleratorReadings
from appliance.hardware.accelerators.pci import PciDevice, pci_name
from appliance.hardware.board import read_compatible
from appliance.hardware.files import Tree

_PLATFORM = "/sys/bus/platform/devices"
_ROCKCHIP_NODE = re.compile(r"[0-9a-f]{8}\.npu")
_KERNEL_MODULES = {"hailo": "hailo_pci", "hailo1x": "hailo1x_pci", "RKNPU": "rknpu"}
# Source: Linux, drivers/accel/: drivers of NPUs that are not on PCI.
_ACCEL_DRIVERS: dict[str, Literal["rockchip", "arm", "other"]] = {"rocket": "rockchip", "ethosu": "arm"}


def probe(tree: Tree, devices: Iterable[PciDevice]) -> Iterator[Accelerator]:
    """Yield the NPUs among `devices`, and those that are parts of a system on chip."""
    for device in devices:
        if device.kind == "npu":
            name = tree.read_line(f"{device.folder}/vbnv") or device.name or pci_name(tree, device)
            yield _npu(tree, device.id, device.vendor, name, device.driver)
    yield from _on_chip(tree)


def read(tree: Tree, devices: Iterable[PciDevice]) -> Iterator[AcceleratorReadings]:
    """Yield the memory that Intel's NPUs among `devices` use; no other driver shows anything that is not root's.

    Source: Linux, drivers/accel/ivpu/ivpu_sysfs.c.
    """
    for device in devices:
        used_bytes = tree.read_int(f"{device.folder}/npu_memory_utilization") if device.kind == "npu" else None
        if used_bytes is not None:
            yield AcceleratorReadings(
                id=device.id, busy_ratio=None, memory_used_bytes=used_bytes, celsius=None, watts=None
            )


def rockchip(compatible: tuple[str, ...]) -> str | None:
    """Return Rockchip's chip (`RK3588`) among what a device tree says that the machine is like."""
    chips = [name.removeprefix("rockchip,") for name in compatible if name.startswith("rockchip,rk")]
    # The board's own name stands first, the chip's last.
    return chips[-1].upper() if chips else None


def _on_chip(tree: Tree) -> Iterator[Accelerator]:
    nodes = [node for node in tree.list_dir(_PLATFORM) if _ROCKCHIP_NODE.fullmatch(node)]
    chip = rockchip(read_compatible(tree)) if nodes else None
    if nodes and chip:
        # RK3588's three cores may be a node each; they are one NPU.
        driver = tree.link_name(f"{_PLATFORM}/{nodes[0]}/driver")
        yield _npu(tree, f"platform:{nodes[0]}", "rockchip", f"{chip} NPU", driver)
        return
    for entry in tree.list_dir("/sys/class/accel"):
        driver = tree.link_name(f"/sys/class/accel/{entry}/device/driver")
        if driver in _ACCEL_DRIVERS:
            yield _npu(tree, f"accel:{entry}", _ACCEL_DRIVERS[driver], None, driver)
            return


def _npu(
    tree: Tree,
    accelerator_id: str,
    vendor: Literal["nvidia", "amd", "intel", "qualcomm", "rockchip", "arm", "hailo", "other"],
    name: str | None,
    driver: str | None,
) -> Accelerator:
    module = _KERNEL_MODULES.get(driver or "", driver)
    return Accelerator(
        id=accelerator_id,
        kind="npu",
        vendor=vendor,
        name=name,
        driver=driver,
        driver_version=tree.read_line(f"/sys/module/{module}/version") if module else None,
        architecture=None,
        memory_bytes=None,
        is_integrated=True if vendor in ("rockchip", "arm") else None,
    )
