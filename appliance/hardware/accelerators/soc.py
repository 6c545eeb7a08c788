"""GPUs that are parts of a system on a chip: Jetson's and Mali. They share main memory and are not on PCI."""

import re
from collections.abc import Iterator

from appliance.core.hardware import Accelerator, AcceleratorReadings
from appliance.hardware.board import read_compatible
from appliance.hardware.files import Tree

_PLATFORM = "/sys/bus/platform/devices"
# Kernels before 5.15 name Jetson's GPU by its chip instead.
_NODE = re.compile(r"[0-9a-f]{8}\.(gpu|gp10b|gv11b|ga10b)")
_MALI_DRIVERS = frozenset({"mali", "panfrost", "panthor"})
# Source: CUDA C++ Programming Guide, compute capabilities; Linux, arch/arm64/boot/dts/nvidia/.
_TEGRAS = {
    "tegra210": ("Tegra X1", "sm_53"),
    "tegra186": ("Tegra X2", "sm_62"),
    "tegra194": ("Xavier", "sm_72"),
    "tegra234": ("Orin", "sm_87"),
    "tegra264": ("Thor", "sm_110"),
}


def probe(tree: Tree) -> Iterator[Accelerator]:
    """Yield the GPU of the chip, if it is one of those."""
    node = _node(tree)
    tegra = tegra_chip(read_compatible(tree))
    driver = tree.link_name(f"{_PLATFORM}/{node}/driver") if node else None
    if tegra is not None:
        name, architecture = _TEGRAS.get(tegra, (tegra.capitalize(), None))
        driver = driver or ("nvgpu" if tree.exists("/sys/module/nvgpu") else None)
        yield _gpu(node or "gpu", "nvidia", name, driver, architecture)
    elif node and driver in _MALI_DRIVERS:
        yield _gpu(node, "arm", "Mali", driver, None)


def read(tree: Tree) -> Iterator[AcceleratorReadings]:
    """Yield what Jetson's GPU does now."""
    for gpu in probe(tree):
        folder = f"{_PLATFORM}/{gpu.id.removeprefix('platform:')}"
        permille = tree.read_int(f"{folder}/load") if gpu.vendor == "nvidia" else None
        if permille is not None:
            yield AcceleratorReadings(
                id=gpu.id,
                busy_ratio=min(max(permille, 0), 1000) / 1000,
                memory_used_bytes=None,
                celsius=_celsius(tree),
                watts=None,
            )


def tegra_chip(compatible: tuple[str, ...]) -> str | None:
    """Return NVIDIA's chip (`tegra234`) among what a device tree says that the machine is like."""
    chips = [entry.removeprefix("nvidia,") for entry in compatible]
    return next((chip for chip in reversed(chips) if re.fullmatch(r"tegra\d{3}", chip)), None)


def _node(tree: Tree) -> str | None:
    return next((name for name in tree.list_dir(_PLATFORM) if _NODE.fullmatch(name)), None)


def _celsius(tree: Tree) -> float | None:
    zones = "/sys/class/thermal"
    for zone in tree.list_dir(zones):
        if (tree.read_line(f"{zones}/{zone}/type") or "").lower() in ("gpu-thermal", "gpu-therm"):
            millidegrees = tree.read_int(f"{zones}/{zone}/temp")
            return None if millidegrees is None else millidegrees / 1000
    return None


def _gpu(node: str, vendor: str, name: str, driver: str | None, architecture: str | None) -> Accelerator:
    return Accelerator(
        id=f"platform:{node}",
        kind="gpu",
        vendor="nvidia" if vendor == "nvidia" else "arm",
        name=name,
        driver=driver,
        driver_version=None,
        architecture=architecture,
        memory_bytes=None,
        is_integrated=True,
    )
