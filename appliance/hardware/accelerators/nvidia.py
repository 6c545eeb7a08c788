"""NVIDIA's GPUs from the files of the driver, and from `nvidia-smi` where a driver runs."""

import re
from collections.abc import Iterable, Iterator

import msgspec

from appliance.core.hardware import Accelerator, AcceleratorReadings
from appliance.hardware.accelerators import soc
from appliance.hardware.accelerators.nvidia_smi import Row, query
from appliance.hardware.accelerators.pci import PciDevice, pci_name
from appliance.hardware.files import Tree, printable

_DRIVER = "/proc/driver/nvidia"
# Where Windows lends its GPU to Linux, no device is listed anywhere.
_WINDOWS_GPU = "/dev/dxg"


def probe(tree: Tree, devices: Iterable[PciDevice]) -> Iterator[Accelerator]:
    """Yield NVIDIA's GPUs among `devices`, as far as files tell of them."""
    version = parse_driver_version(tree.read_text(f"{_DRIVER}/version"))
    for device in devices:
        if device.vendor == "nvidia" and device.kind == "gpu":
            is_ours = device.driver == "nvidia"
            yield Accelerator(
                id=device.id,
                kind="gpu",
                vendor="nvidia",
                name=parse_model(tree.read_text(f"{_DRIVER}/gpus/{device.address}/information"))
                or pci_name(tree, device),
                driver=device.driver,
                driver_version=version if is_ours else None,
                architecture=None,
                memory_bytes=None,
                is_integrated=None,
            )


def is_driver_running(tree: Tree) -> bool:
    """Return whether `nvidia-smi` can know anything: without the driver it only says that there is none."""
    return (
        tree.exists(f"{_DRIVER}/version")
        or tree.exists(_WINDOWS_GPU)
        or any(gpu.vendor == "nvidia" and gpu.driver for gpu in soc.probe(tree))
    )


def probe_by_tool(tree: Tree) -> Iterator[Accelerator]:
    """Yield the GPUs that `nvidia-smi` knows. May take as long as the driver likes."""
    on_chip = _on_chip(tree)
    for row in query(tree):
        if row.address is None and on_chip is not None:
            yield msgspec.structs.replace(
                on_chip,
                name=row.name,
                driver_version=row.driver_version,
                architecture=row.architecture or on_chip.architecture,
            )
        else:
            yield row.accelerator(_id(row, on_chip), "nvidia")


def read_by_tool(tree: Tree) -> Iterator[AcceleratorReadings]:
    """Yield what the GPUs do that `nvidia-smi` knows. May take as long as the driver likes."""
    on_chip = _on_chip(tree)
    return (row.readings(_id(row, on_chip)) for row in query(tree) if row.address or on_chip is None)


def parse_driver_version(text: str) -> str | None:
    """Return the version in `/proc/driver/nvidia/version`, of the closed module or the open one."""
    version = re.search(r"^NVRM version:.*?\s(\d{3,}\.[\d.]+)\s", text, re.MULTILINE)
    return version[1] if version else None


def parse_model(text: str) -> str | None:
    """Return the name in `/proc/driver/nvidia/gpus/*/information`."""
    model = re.search(r"^Model:\s*(\S.*)$", text, re.MULTILINE)
    return printable(model[1]) if model else None


def _on_chip(tree: Tree) -> Accelerator | None:
    return next((gpu for gpu in soc.probe(tree) if gpu.vendor == "nvidia"), None)


def _id(row: Row, on_chip: Accelerator | None) -> str:
    if row.address is not None:
        return f"pci:{row.address}"
    return on_chip.id if on_chip else "nvidia:0"
