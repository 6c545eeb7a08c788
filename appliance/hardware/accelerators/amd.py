"""AMD's GPUs from the files of the amdgpu driver. NPUs of AMD are in `npu.py`."""

import re
from collections.abc import Iterable, Iterator

from appliance.core.hardware import Accelerator, AcceleratorReadings
from appliance.hardware.accelerators.pci import PciDevice, parse_hex, pci_name
from appliance.hardware.accelerators.sensors import first_int, hwmon_folders
from appliance.hardware.files import Tree, parse_int

_NODES = "/sys/class/kfd/kfd/topology/nodes"
NAMES = "/usr/share/libdrm/amdgpu.ids"
# The graphics of AMD's processors; every other target is a card's, but for gfx942, which is both (MI300A, MI300X).
# Source: LLVM's User Guide for AMDGPU Backend, table of processors, column "dGPU/APU".
# fmt: off
_INTEGRATED = frozenset({
    "gfx700", "gfx801", "gfx810", "gfx902", "gfx909", "gfx90c", "gfx1013", "gfx1033", "gfx1035", "gfx1036", "gfx1037",
    "gfx1103", "gfx1150", "gfx1151", "gfx1152", "gfx1153",
})
# fmt: on
_EITHER = frozenset({"gfx940", "gfx942"})


def probe(tree: Tree, devices: Iterable[PciDevice]) -> Iterator[Accelerator]:
    """Yield AMD's GPUs among `devices`."""
    gpus = [device for device in devices if device.vendor == "amd" and device.kind == "gpu"]
    architectures = _architectures(tree) if gpus else {}
    for device in gpus:
        architecture = architectures.get(device.address)
        is_known = architecture is not None and architecture not in _EITHER
        yield Accelerator(
            id=device.id,
            kind="gpu",
            vendor="amd",
            name=_name(tree, device),
            driver=device.driver,
            driver_version=tree.read_line(f"/sys/module/{device.driver}/version") if device.driver else None,
            architecture=architecture,
            memory_bytes=tree.read_int(f"{device.folder}/mem_info_vram_total"),
            is_integrated=architecture in _INTEGRATED if is_known else None,
        )


def read(tree: Tree, devices: Iterable[PciDevice]) -> Iterator[AcceleratorReadings]:
    """Yield what AMD's GPUs among `devices` do now."""
    for device in devices:
        if device.vendor != "amd" or device.kind != "gpu":
            continue
        busy_percent = tree.read_int(f"{device.folder}/gpu_busy_percent")
        sensors = hwmon_folders(tree, device.folder)
        millidegrees = first_int(tree, sensors, "temp1_input")
        # A processor's graphics and the newest cards have no mean, only the value of the moment.
        microwatts = first_int(tree, sensors, "power1_average", "power1_input")
        yield AcceleratorReadings(
            id=device.id,
            busy_ratio=None if busy_percent is None else min(max(busy_percent, 0), 100) / 100,
            memory_used_bytes=tree.read_int(f"{device.folder}/mem_info_vram_used"),
            celsius=None if millidegrees is None else millidegrees / 1000,
            watts=None if microwatts is None else microwatts / 1e6,
        )


def parse_kfd_properties(text: str) -> tuple[str, str] | None:
    """Return PCI address and target (`gfx1100`) of a node of the compute driver; None for a processor's node.

    Source: Linux, drivers/gpu/drm/amd/amdkfd/kfd_topology.c: `location_id` is bus and function of the address;
    `gfx_target_version` has two decimal digits each for minor version and stepping, which the target's name has in
    hexadecimal (90010 is gfx90a).
    """
    fields = dict(re.findall(r"^(\w+) (\d+)$", text, re.MULTILINE))
    version, location = parse_int(fields.get("gfx_target_version", "")), parse_int(fields.get("location_id", ""))
    if not version or location is None:
        return None
    domain = parse_int(fields.get("domain", "")) or 0
    address = f"{domain:04x}:{location >> 8 & 0xFF:02x}:{location >> 3 & 0x1F:02x}.{location & 7}"
    return address, f"gfx{version // 10000}{version // 100 % 100:x}{version % 100:x}"


def parse_amdgpu_ids(text: str, device_id: int, revision: int) -> str | None:
    """Return the product's name from libdrm's table, whose lines are `744C,	C8,	AMD Radeon RX 7900 XTX`."""
    line = re.search(rf"^{device_id:X},\s*{revision:X},\s*(.+)$", text, re.MULTILINE | re.IGNORECASE)
    return line[1].strip() if line else None


def read_revision(tree: Tree, device: PciDevice) -> int | None:
    """Return the revision, by which products with the same chip differ."""
    return parse_hex(tree.read_text(f"{device.folder}/revision"))


def _architectures(tree: Tree) -> dict[str, str]:
    nodes = (parse_kfd_properties(tree.read_text(f"{_NODES}/{node}/properties")) for node in tree.list_dir(_NODES))
    return dict(node for node in nodes if node)


def _name(tree: Tree, device: PciDevice) -> str | None:
    told = tree.read_line(f"{device.folder}/product_name")
    revision = None if told else read_revision(tree, device)
    if revision is not None:
        told = parse_amdgpu_ids(tree.read_text(NAMES), device.device_id, revision)
    return told or pci_name(tree, device)
