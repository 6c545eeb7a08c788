"""Memory from the kernel's text, bounded by what the control groups leave."""

import re
from pathlib import Path

import psutil

from appliance.hardware.cgroup import read_limits

_LINE = re.compile(r"^(\w+):\s+(\d+) kB$", re.MULTILINE)


def parse_meminfo(text: str) -> dict[str, int]:
    """Return the sizes in the text of `/proc/meminfo`, in bytes."""
    return {name: int(kilobytes) * 1024 for name, kilobytes in _LINE.findall(text)}


def memory_total_bytes(root: Path = Path("/")) -> int:
    """Return the memory that this process could ever have."""
    total: int = _meminfo(root).get("MemTotal") or psutil.virtual_memory().total
    limit = read_limits(root).memory_limit_bytes
    return total if limit is None else min(total, limit)


def memory_available_bytes(root: Path = Path("/")) -> int:
    """Return the memory that can be taken now without pushing anything out but file cache."""
    available: int = _meminfo(root).get("MemAvailable") or psutil.virtual_memory().available
    headroom = read_limits(root).memory_headroom_bytes
    return available if headroom is None else min(available, headroom)


def _meminfo(root: Path) -> dict[str, int]:
    try:
        return parse_meminfo((root / "proc/meminfo").read_text())
    except OSError:  # not Linux: psutil knows
        return {}
