"""The PCI devices that may be accelerators, as the kernel lists them, with or without a driver."""

import re
from collections.abc import Iterator
from typing import Literal

import msgspec

from appliance.hardware.files import Tree

Vendor = Literal["nvidia", "amd", "intel", "qualcomm", "hailo"]

_DEVICES = "/sys/bus/pci/devices"
_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
# Source: the PCI Code and ID Assignment Specification: display controllers, processing accelerators.
_DISPLAY, _PROCESSING = 0x03, 0x12
# Vendors of adapters that only show a picture (virtio, bochs, VMware, QXL, Aspeed, Matrox, …) are not in this list.
_VENDORS: dict[int, Vendor] = {0x10DE: "nvidia", 0x1002: "amd", 0x8086: "intel"}
# NPUs that call themselves signal processors or co-processors, so that their class does not tell.
# Source: Linux, drivers/accel/amdxdna/amdxdna_pci_drv.c and drivers/accel/qaic/qaic_drv.c; hailo-ai/hailort-drivers,
# linux/pcie/src/pcie.h.
_NPUS: dict[tuple[int, int], tuple[Vendor, str]] = {
    (0x1022, 0x1502): ("amd", "Ryzen AI (XDNA)"),
    (0x1022, 0x17F0): ("amd", "Ryzen AI (XDNA 2)"),
    (0x17CB, 0xA100): ("qualcomm", "Cloud AI 100"),
    (0x1E60, 0x2864): ("hailo", "Hailo-8"),
    (0x1E60, 0x45C4): ("hailo", "Hailo-10H"),
    (0x1E60, 0x43A2): ("hailo", "Hailo-15L"),
}
# The adapters that ATI made for servers' remote management: ES1000 and Rage XL. They only show a picture.
_ONLY_DISPLAYS = frozenset({(0x1002, 0x515E), (0x1002, 0x5969), (0x1002, 0x4752)})
_NAMES = ("/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids")
_MAX_NAMES_BYTES = 4 * 2**20


class PciDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A GPU or NPU on PCI. `folder` holds its files; `name` is set where the ids alone tell it."""

    address: str
    folder: str
    kind: Literal["gpu", "npu"]
    vendor: Vendor
    vendor_id: int
    device_id: int
    driver: str | None
    name: str | None = None

    @property
    def id(self) -> str:
        """Return the stable id that the snapshot uses."""
        return f"pci:{self.address}"


def pci_accelerators(tree: Tree) -> Iterator[PciDevice]:
    """Yield the GPUs and NPUs of known vendors, sorted by address."""
    folders = dict(_card_folders(tree)) | {name: f"{_DEVICES}/{name}" for name in tree.list_dir(_DEVICES)}
    for address, folder in sorted(folders.items()):
        if _ADDRESS.fullmatch(address):
            device = _read_device(tree, address, folder)
            if device is not None:
                yield device


def parse_hex(text: str) -> int | None:
    """Return the number of `0x10de`; None where it is none."""
    return int(text, 16) if re.fullmatch(r"0x[0-9a-fA-F]{1,16}", text := text.strip()) else None


def pci_name(tree: Tree, device: PciDevice) -> str | None:
    """Return the device's name in the list of names that distributions install; None where there is no list."""
    path = names_path(tree)
    return None if path is None else parse_pci_ids(read_names(tree, path), device.vendor_id, device.device_id)


def names_path(tree: Tree) -> str | None:
    """Return where the list of names is; None where there is none."""
    return next((path for path in _NAMES if tree.exists(path)), None)


def read_names(tree: Tree, path: str) -> str:
    """Return the text of the list."""
    return tree.read_text(path, max_bytes=_MAX_NAMES_BYTES)


def parse_pci_ids(text: str, vendor_id: int, device_id: int) -> str | None:
    """Return the name of a device in the text of `pci.ids`.

    Source: the comment at the head of that file: a vendor starts a line, its devices stand below behind one tab.
    """
    vendor = re.search(rf"^{vendor_id:04x}  .*\n((?:[\t#].*\n|\n)*)", text, re.MULTILINE)
    device = vendor and re.search(rf"^\t{device_id:04x}  (.+)$", vendor[1], re.MULTILINE)
    return device[1].strip() if device else None


def _card_folders(tree: Tree) -> Iterator[tuple[str, str]]:
    """Yield address and folder of what the kernel's graphics drivers run; a sandbox may show no other list."""
    for card in tree.list_dir("/sys/class/drm"):
        if re.fullmatch(r"card\d+", card):
            folder = f"/sys/class/drm/{card}/device"
            slot = re.search(r"^PCI_SLOT_NAME=(\S+)$", tree.read_text(f"{folder}/uevent"), re.MULTILINE)
            yield (slot[1] if slot else tree.link_name(folder) or ""), folder


def _read_device(tree: Tree, address: str, folder: str) -> PciDevice | None:
    kind_of_device = parse_hex(tree.read_text(f"{folder}/class"))
    vendor_id = parse_hex(tree.read_text(f"{folder}/vendor"))
    if kind_of_device is None or vendor_id is None:
        return None
    is_processor = kind_of_device >> 16 == _PROCESSING
    # What a card hands out to virtual machines is a part of what is listed already.
    if tree.exists(f"{folder}/physfn"):
        return None
    device_id = parse_hex(tree.read_text(f"{folder}/device")) or 0
    npu = _NPUS.get((vendor_id, device_id))
    is_gpu = kind_of_device >> 16 == _DISPLAY or (is_processor and vendor_id != 0x8086)
    if npu is None and (vendor_id not in _VENDORS or not (is_gpu or is_processor)):
        return None
    if (vendor_id, device_id) in _ONLY_DISPLAYS:
        return None
    return PciDevice(
        address=address,
        folder=folder,
        kind="gpu" if npu is None and is_gpu else "npu",
        vendor=npu[0] if npu else _VENDORS[vendor_id],
        vendor_id=vendor_id,
        device_id=device_id,
        driver=tree.link_name(f"{folder}/driver"),
        name=npu[1] if npu else None,
    )
