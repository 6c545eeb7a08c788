"""What the kernel's control groups leave to this process, in version 1, 2 or both: processor quota and memory."""

from collections.abc import Iterator

import msgspec

from appliance.hardware.files import Tree, parse_int

_MOUNT = "/sys/fs/cgroup"
_UNIFIED = ""
_MAX_DEPTH = 32


class CgroupLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The tightest limits of this process's groups and their parents; None where none is set."""

    quota_cores: float | None
    memory_limit_bytes: int | None
    memory_headroom_bytes: int | None


def read_limits(tree: Tree) -> CgroupLimits:
    """Return the limits that hold for this process. A file that cannot be read sets none."""
    groups = parse_cgroup(tree.read_text("/proc/self/cgroup"))
    quotas = [_quota_cores(tree, folder) for folder in _folders(groups, "cpu")]
    limits = [(folder, _memory_limit_bytes(tree, folder)) for folder in _folders(groups, "memory")]
    set_limits = [(folder, limit) for folder, limit in limits if limit is not None]
    headrooms = [limit - _memory_used_bytes(tree, folder) for folder, limit in set_limits]
    return CgroupLimits(
        quota_cores=min((quota for quota in quotas if quota is not None), default=None),
        memory_limit_bytes=min((limit for _, limit in set_limits), default=None),
        memory_headroom_bytes=max(0, min(headrooms)) if headrooms else None,
    )


def parse_cgroup(text: str) -> dict[str, str]:
    """Return the path of the group by controller from `/proc/self/cgroup`; version 2 has one, under an empty name."""
    groups: dict[str, str] = {}
    for line in text.splitlines():
        _, colon, rest = line.partition(":")
        controllers, second_colon, path = rest.partition(":")
        if colon and second_colon:
            groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def _folders(groups: dict[str, str], controller: str) -> Iterator[str]:
    """Yield the folders of the process's group and its parents, which limit it as well.

    Inside a container the path may be the host's and not be there; its parents then lead to the mount itself.
    """
    for name, mount in ((_UNIFIED, _MOUNT), (controller, f"{_MOUNT}/{controller}")):
        if name in groups:
            parts = [part for part in groups[name].split("/") if part not in ("", ".", "..")][:_MAX_DEPTH]
            yield from ("/".join((mount, *parts[:depth])) for depth in range(len(parts), -1, -1))


def _quota_cores(tree: Tree, folder: str) -> float | None:
    words = tree.read_text(f"{folder}/cpu.max").split()
    if not words:
        words = [tree.read_text(f"{folder}/cpu.cfs_{name}_us") for name in ("quota", "period")]
    numbers = [parse_int(word) for word in words]
    if len(numbers) != 2 or numbers[0] is None or not numbers[1] or min(numbers[0], numbers[1]) <= 0:
        return None  # "max" in version 2, -1 in version 1
    return numbers[0] / numbers[1]


def _memory_limit_bytes(tree: Tree, folder: str) -> int | None:
    for name in ("memory.max", "memory.limit_in_bytes"):
        # Version 1 writes "no limit" as the largest multiple of a page in 63 bits: too long for `read_int`.
        limit_bytes = tree.read_int(f"{folder}/{name}")
        if limit_bytes is not None and limit_bytes > 0:
            return limit_bytes
    return None


def _memory_used_bytes(tree: Tree, folder: str) -> int:
    """Return the group's memory less the file cache that the kernel gives back first."""
    used = tree.read_int(f"{folder}/memory.current")
    if used is None:
        used = tree.read_int(f"{folder}/memory.usage_in_bytes") or 0
    lines = (line.partition(" ") for line in tree.read_text(f"{folder}/memory.stat").splitlines())
    fields = {name: parse_int(value) for name, _, value in lines}
    return used - (fields.get("total_inactive_file", fields.get("inactive_file")) or 0)
