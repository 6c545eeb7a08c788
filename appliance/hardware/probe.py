"""All probes together: one snapshot of the machine, with a note for everything that could not be read."""

import os
import platform
from pathlib import Path

import psutil

from appliance.core.hardware import HardwareSnapshot
from appliance.hardware.cgroup import read_limits
from appliance.hardware.cpu import parse_allowed_cpus, parse_cpuinfo, usable_cores
from appliance.hardware.memory import memory_total_bytes


def probe(root: Path = Path("/")) -> HardwareSnapshot:
    """Return what the machine under `root` is. Never raises: what could not be read becomes a note."""
    notes: list[str] = []
    processor = parse_cpuinfo(_read(root / "proc/cpuinfo", notes))
    allowed = parse_allowed_cpus(_read(root / "proc/self/status", notes))
    if processor.logical_cpus and not processor.core_of_cpu:
        notes.append("the kernel does not say which processors share a core: each is taken for one")
    num_cpus = len(processor.logical_cpus) or os.cpu_count() or 1
    is_told = processor.logical_cpus or allowed
    return HardwareSnapshot(
        architecture=platform.machine(),
        cpu_model=processor.model,
        cpu_features=processor.features,
        logical_cores=num_cpus,
        physical_cores=len(set(processor.core_of_cpu.values())) or None,
        usable_cores=usable_cores(processor, allowed, read_limits(root).quota_cores) if is_told else num_cpus,
        memory_total_bytes=memory_total_bytes(root),
        notes=tuple(notes),
    )


def cpu_busy_ratio() -> float:
    """Return how busy all processors were since the last call, 0 to 1; the first call returns 0."""
    percent: float = psutil.cpu_percent()
    return percent / 100


def _read(path: Path, notes: list[str]) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        notes.append(f"{path} cannot be read: {error.strerror}")
        return ""
