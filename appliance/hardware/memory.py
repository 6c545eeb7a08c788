"""Main memory from the kernel's text, bounded by what the control groups leave."""

import os
import re
from pathlib import Path

import psutil

from appliance.core.hardware import Memory
from appliance.hardware.cgroup import CgroupLimits, read_limits
from appliance.hardware.files import Notes, Tree

_LINE = re.compile(r"^(?:Node [0-9]+ )?(\w+):[ \t]+([0-9]{1,14}) kB$", re.MULTILINE | re.ASCII)
_MEMINFO = "/proc/meminfo"


def parse_meminfo(text: str) -> dict[str, int]:
    """Return the sizes in the text of `/proc/meminfo`, or of a node's `meminfo`, in bytes."""
    return {name: int(kilobytes) * 1024 for name, kilobytes in _LINE.findall(text)}


def parse_available(text: str) -> int | None:
    """Return what `/proc/meminfo` says is available. Kernels before 3.14 do not: there it is free memory and cache."""
    sizes = parse_meminfo(text)
    if "MemAvailable" in sizes or "MemFree" not in sizes:
        return sizes.get("MemAvailable")
    cache_bytes = sizes.get("Buffers", 0) + sizes.get("Cached", 0) - sizes.get("Shmem", 0)
    return sizes["MemFree"] + max(0, cache_bytes)


def probe_memory(tree: Tree, limits: CgroupLimits) -> Memory:
    """Return the memory of the machine, and what of it this process could ever have."""
    sizes = parse_meminfo(tree.read_text(_MEMINFO))
    physical_bytes = sizes.get("MemTotal") or None
    if physical_bytes is None:
        tree.notes.add(f"{_MEMINFO} does not say how much memory there is: taken for what the C library says")
    known_bytes = physical_bytes or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    # A limit past the memory limits nothing.
    is_limited = limits.memory_limit_bytes is not None and limits.memory_limit_bytes < known_bytes
    limit_bytes = limits.memory_limit_bytes if is_limited else None
    return Memory(
        total_bytes=known_bytes if limit_bytes is None else limit_bytes,
        physical_bytes=physical_bytes,
        limit_bytes=limit_bytes,
        swap_bytes=sizes.get("SwapTotal"),
    )


def memory_available_bytes(root: Path = Path("/")) -> int:
    """Return the memory that can be taken now without pushing anything out but file cache."""
    tree = Tree(root, Notes())
    available = parse_available(tree.read_text(_MEMINFO))
    if available is None:  # not Linux: psutil knows
        available = int(psutil.virtual_memory().available)
    headroom = read_limits(tree).memory_headroom_bytes
    return available if headroom is None else min(available, headroom)
