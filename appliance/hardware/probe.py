"""All probes together: one snapshot of the machine, with a note for everything that could not be read."""

from pathlib import Path

import psutil

from appliance.core.hardware import HardwareSnapshot
from appliance.hardware.accelerators import probe_accelerators
from appliance.hardware.board import probe_board
from appliance.hardware.cgroup import read_limits
from appliance.hardware.cpuinfo import parse_cpuinfo
from appliance.hardware.disks import probe_disks
from appliance.hardware.files import Notes, Tree
from appliance.hardware.memory import probe_memory
from appliance.hardware.numa import probe_numa
from appliance.hardware.processor import CPUINFO, MAX_CPUINFO_BYTES, probe_processor
from appliance.hardware.system import probe_system


def probe(root: Path = Path("/"), timeout_s: float = 5.0) -> HardwareSnapshot:
    """Return what the machine under `root` is. Never raises: what could not be read becomes a note.

    `timeout_s` bounds what is asked of the drivers of GPUs and NPUs; without any, this takes some milliseconds.
    """
    notes = Notes()
    tree = Tree(root, notes)
    info = parse_cpuinfo(tree.read_text(CPUINFO, is_expected=True, max_bytes=MAX_CPUINFO_BYTES))
    limits = read_limits(tree)
    return HardwareSnapshot(
        processor=probe_processor(tree, info, limits),
        memory=probe_memory(tree, limits),
        numa_nodes=probe_numa(tree),
        accelerators=probe_accelerators(root, timeout_s, notes),
        board=probe_board(tree, info.board),
        disks=probe_disks(tree),
        system=probe_system(tree, info.features),
        notes=notes.as_tuple(),
    )


def cpu_busy_ratio() -> float:
    """Return how busy all processors were since the last call, 0 to 1; the first call returns 0."""
    percent: float = psutil.cpu_percent()
    return percent / 100
