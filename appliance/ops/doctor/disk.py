"""Checks of the disk that holds the state folder: room, speed, and whether it keeps what is written."""

from appliance.core.doctor import Finding
from appliance.core.hardware import Disk
from appliance.core.units import format_bytes

from .facts import Check, Facts, Outcome

_FULL_BYTES = 100 * 2**20
_NEARLY_FULL_BYTES = 2 * 2**30
_NEARLY_FULL_RATIO = 0.02
_SLOW_BYTES_PER_S = 100 * 10**6
_MODEL_BYTES = 5 * 10**9
"""What a common model of 8 billion parameters takes in four bits."""

_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "glusterfs", "fuse.sshfs", "fuse.glusterfs", "virtiofs"}
_IN_MEMORY = {"tmpfs", "ramfs"}
_SLOW_KINDS = {"sd_card": "an SD card", "hdd": "a hard disk", "usb": "a USB device", "emmc": "eMMC"}


def room(facts: Facts) -> Outcome:
    """Say whether there is room for models."""
    free_bytes, total_bytes = facts.disk.free_bytes, facts.disk.total_bytes
    if free_bytes is None or total_bytes is None:
        return None
    is_full = free_bytes < _FULL_BYTES
    if is_full or free_bytes < max(_NEARLY_FULL_BYTES, _NEARLY_FULL_RATIO * total_bytes):
        return Finding(
            check="disk.room",
            state="error" if is_full else "warning",
            title=f"only {format_bytes(free_bytes)} are free for {facts.home.path}",
            reason="nothing can be written soon" if is_full else "a common model takes about 5 GB",
            mend="appliance models list",
        )
    return Finding(check="disk.room", state="ok", title=f"{format_bytes(free_bytes)} are free for {facts.home.path}")


def speed(facts: Facts) -> Outcome:
    """Say whether models load slowly: from a measurement, or else from the kind of the disk."""
    disk = _disk(facts)
    kind = _SLOW_KINDS.get(disk.kind) if disk is not None else None
    measured = facts.disk.read_bytes_per_s
    if measured is not None:
        megabytes_per_s = f"{measured / 10**6:.0f} MB/s"
        if measured >= _SLOW_BYTES_PER_S:
            return Finding(check="disk.speed", state="ok", title=f"models are read at {megabytes_per_s}")
        return Finding(
            check="disk.speed",
            state="warning",
            title=f"models are read slowly, at {megabytes_per_s}" + (f" from {kind}" if kind else ""),
            reason=f"a model of 5 GB takes {_MODEL_BYTES / measured:.0f} s to load; an SSD takes a few seconds",
        )
    if kind is None:
        return None
    return Finding(
        check="disk.speed",
        state="note",
        title=f"the state folder lies on {kind}",
        reason="no installed model is large enough to measure how fast it is read; an SSD loads models sooner",
    )


def file_system(facts: Facts) -> Outcome:
    """Say whether the file system keeps what is written, and locks it."""
    kind, home = facts.disk.file_system, facts.home.path
    if kind is None:
        return None
    if kind in _IN_MEMORY:
        return Finding(
            check="disk.kind",
            state="warning",
            title=f"{home} lies in memory ({kind})",
            reason="models and keys are gone at the next start; set APPLIANCE_HOME to a folder on a disk",
        )
    if kind in _NETWORK:
        return Finding(
            check="disk.kind",
            state="warning",
            title=f"{home} lies on a network file system ({kind})",
            reason="locks between processes may not hold there, and models load at the network's speed; "
            "set APPLIANCE_HOME to a folder on a disk of this machine",
        )
    if kind == "overlay" and facts.snapshot is not None and facts.snapshot.system.container is not None:
        return Finding(
            check="disk.kind",
            state="note",
            title=f"{home} lies inside the container and goes with it",
            reason="keep it in a volume to keep models and keys",
        )
    return Finding(check="disk.kind", state="ok", title=f"{home} lies on {kind}")


def _disk(facts: Facts) -> Disk | None:
    disks = facts.snapshot.disks if facts.snapshot is not None else ()
    return next((disk for disk in disks if facts.disk.mount in disk.mounts), None)


CHECKS: tuple[Check, ...] = (room, speed, file_system)
