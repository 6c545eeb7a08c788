"""PCI devices for the trees of tests, under the true path that the kernel gives them, with its links."""

from pathlib import Path

from appliance.hardware.accelerators.pci import PciDevice, pci_accelerators
from appliance.hardware.files import Notes, Tree
from tests.unit.hardware.trees import plant


def plug(root: Path, address: str, ids: str, kind: str = "0x030000", driver: str = "", **files: str) -> str:
    """Plug `ids` (`10de:2684`) in; `files` stand in its folder. Return the folder."""
    vendor, device = ids.split(":")
    folder = f"/sys/devices/pci0000:00/{address}"
    texts = {"class": kind, "vendor": f"0x{vendor}", "device": f"0x{device}"} | files
    links = {f"/sys/bus/pci/devices/{address}": f"../../../devices/pci0000:00/{address}"}
    if driver:
        links[f"{folder}/driver"] = f"../../../bus/pci/drivers/{driver}"
    plant(root, {f"{folder}/{name}": f"{text}\n" for name, text in texts.items()}, links)
    return folder


def devices(root: Path) -> tuple[PciDevice, ...]:
    """Return what is plugged in and may be an accelerator."""
    return tuple(pci_accelerators(Tree(root, Notes())))
