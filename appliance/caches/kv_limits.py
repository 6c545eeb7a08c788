"""How much disk kept prefixes may take and how much may be written: pure choices from settings and machine."""

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from appliance.core.hardware import Disk

_FREE_RATIO = 0.1
_MAX_DISK_BYTES = 16 * 2**30
_CARD_BYTES_PER_DAY = 4 * 2**30
"""A card of 32 GB that stands a thousand rewrites of its cells lasts twenty years with so much a day."""

_CARDS = ("sd_card", "emmc")


def disk_budget_bytes(setting: int | None, free_bytes: int, kept_bytes: int) -> int:
    """Return the disk space for all models together: what is set, or a tenth of what is free but for what is kept."""
    if setting is not None:
        return setting
    return min(_MAX_DISK_BYTES, int(_FREE_RATIO * (free_bytes + kept_bytes)))


def share_bytes(budget_bytes: int, held_by_others: Iterable[int]) -> int:
    """Return what one model may take: all but what other loaded models hold, since the rest can be deleted for it."""
    return max(0, budget_bytes - sum(held_by_others))


def write_limit_bytes(setting: int | None, folder: Path, disks: Sequence[Disk]) -> int | None:
    """Return what may be written in a day, None being no limit: what is set, or a limit on storage that wears out."""
    if setting is not None:
        return setting
    disk = disk_of(folder, disks)
    return _CARD_BYTES_PER_DAY if disk is not None and disk.kind in _CARDS else None


def disk_of(folder: PurePath, disks: Sequence[Disk]) -> Disk | None:
    """Return the disk that a folder lies on: the one with the deepest mount above it; None when none is known."""
    above = [
        (len(PurePath(mount).parts), disk) for disk in disks for mount in disk.mounts if folder.is_relative_to(mount)
    ]
    return max(above, key=lambda found: found[0])[1] if above else None
