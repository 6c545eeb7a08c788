"""Whether what drives the GPUs may have changed: a text of the drivers that are there, and how long the machine slept.

Reads only what the kernel keeps and when files were written: asks no driver, so it may be read before every load.
"""

import time
from pathlib import Path

from appliance.hardware.files import Notes, Tree

_MODULES = ("nvidia", "nouveau", "amdgpu", "i915", "xe")
_NVIDIA = "/proc/driver/nvidia/version"
_VULKAN_DRIVERS = ("/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d")
"""Where each driver that programs load themselves says that it is installed; an update writes the files anew."""


def driver_state(root: Path = Path("/")) -> str:
    """Return a line for each driver of the machine under `root`, which changes with the driver."""
    tree = Tree(root, Notes())
    parts = [tree.read_line(_NVIDIA) or ""]
    for module in _MODULES:
        folder = f"/sys/module/{module}"
        if tree.exists(folder):
            parts.append(f"{module} {tree.read_line(f'{folder}/version') or tree.read_line(f'{folder}/srcversion')}")
    for folder in _VULKAN_DRIVERS:
        parts += [f"{name} {_written_ns(root / folder.lstrip('/') / name)}" for name in tree.list_dir(folder)]
    return "\n".join(filter(None, parts))


def asleep_s() -> float:
    """Return how long the machine has slept since it started: what one clock counts and the other leaves out."""
    boot_time = getattr(time, "CLOCK_BOOTTIME", None)  # Linux alone has it
    return 0.0 if boot_time is None else time.clock_gettime(boot_time) - time.clock_gettime(time.CLOCK_MONOTONIC)


def _written_ns(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
