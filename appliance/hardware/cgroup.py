"""What the kernel's control groups leave to this process, in version 1, 2 or both: processor quota and memory."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

_UNIFIED = ""


class CgroupLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The tightest limits of this process's groups and their parents; None where none is set."""

    quota_cores: float | None
    memory_limit_bytes: int | None
    memory_headroom_bytes: int | None


def read_limits(root: Path) -> CgroupLimits:
    """Return the limits that hold for this process. A file that cannot be read sets none."""
    groups = parse_cgroup(_read(root / "proc/self/cgroup"))
    quotas = [_quota_cores(folder) for folder in _folders(root, groups, "cpu")]
    folders = list(_folders(root, groups, "memory"))
    limits = [_memory_limit_bytes(folder) for folder in folders]
    headrooms = [
        limit - _memory_used_bytes(folder) for folder, limit in zip(folders, limits, strict=True) if limit is not None
    ]
    return CgroupLimits(
        quota_cores=min((quota for quota in quotas if quota is not None), default=None),
        memory_limit_bytes=min((limit for limit in limits if limit is not None), default=None),
        memory_headroom_bytes=max(0, min(headrooms)) if headrooms else None,
    )


def parse_cgroup(text: str) -> dict[str, str]:
    """Return the path of the group by controller from `/proc/self/cgroup`; version 2 has one, under an empty name."""
    groups: dict[str, str] = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def _folders(root: Path, groups: dict[str, str], controller: str) -> Iterator[Path]:
    """Yield the folders of the process's group and its parents, which limit it as well.

    Inside a container the path may be the host's and not be there; its parents then lead to the mount itself.
    """
    for name, mount in ((_UNIFIED, root / "sys/fs/cgroup"), (controller, root / "sys/fs/cgroup" / controller)):
        if name in groups:
            group = mount / groups[name].lstrip("/")
            yield from (folder for folder in (group, *group.parents) if folder.is_relative_to(mount))


def _quota_cores(folder: Path) -> float | None:
    quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
    words = _read(folder / "cpu.max").split() or [quota, period]
    if len(words) != 2 or not all(word.isdigit() for word in words):
        return None  # "max" in version 2, -1 in version 1
    return int(words[0]) / int(words[1])


def _memory_limit_bytes(folder: Path) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        text = _read(folder / name)
        # Version 1 writes "no limit" as the largest multiple of a page in 63 bits.
        if text.isdigit() and int(text) < 2**62:
            return int(text)
    return None


def _memory_used_bytes(folder: Path) -> int:
    """Return the group's memory less the file cache that the kernel gives back first."""
    used = _read(folder / "memory.current") or _read(folder / "memory.usage_in_bytes") or "0"
    fields = dict(line.split() for line in _read(folder / "memory.stat").splitlines() if len(line.split()) == 2)
    return int(used) - int(fields.get("total_inactive_file", fields.get("inactive_file", 0)))


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
