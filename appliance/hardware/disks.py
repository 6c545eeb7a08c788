"""The disks, by what they are made of, and the folders that are mounted from each."""

import re
from collections import defaultdict
from typing import Literal

from appliance.core.hardware import Disk
from appliance.hardware.files import Tree, printable

_BLOCK = "/sys/class/block"
_SECTOR_BYTES = 512  # the kernel's unit of sizes, whatever the disk's own is
_MAX_SECTORS = 2**50
_MAX_MOUNTS = 64
# No disks of their own: made of files, memory or other disks, drives for media, or hidden parts of a disk.
_NO_DISK = re.compile(r"(loop|ram|zram|dm-|md|sr|fd|nbd|bcache|zd)[0-9]|mmcblk[0-9]+(boot|rpmb)|nvme[0-9]+c[0-9]+n")
_VIRTUAL_NAME = re.compile(r"(vd|xvd)[a-z]")
_VIRTUAL_MODEL = re.compile(r"qemu|vbox|vmware|virtual|persistentdisk|amazon elastic|msft", re.IGNORECASE)
_ESCAPE = re.compile(r"\\([0-7]{3})")
# Containers mount these single files from the host's disk.
_SINGLE_FILES = frozenset({"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"})


def probe_disks(tree: Tree) -> tuple[Disk, ...]:
    """Return the disks with a size. What is mounted from a partition or a volume counts for the disk below it."""
    names = tree.list_dir(_BLOCK)
    disks = [name for name in names if not _NO_DISK.match(name) and not tree.exists(f"{_BLOCK}/{name}/partition")]
    mounts = _mounts_by_disk(tree, names)
    found = (_read_disk(tree, name, tuple(sorted(mounts.get(name, ()))[:_MAX_MOUNTS])) for name in disks)
    return tuple(disk for disk in found if disk is not None)


def parse_mountinfo(text: str) -> list[tuple[str, str, str]]:
    """Return device number, mount point and source of each line of `/proc/self/mountinfo`."""
    mounts: list[tuple[str, str, str]] = []
    for line in text.splitlines():
        before, dash, after = line.partition(" - ")
        words, source = before.split(" "), after.split(" ")
        if dash and len(words) >= 5 and len(source) >= 2:
            mounts.append((words[2], _unescape(words[4]), _unescape(source[1])))
    return mounts


def _read_disk(tree: Tree, name: str, mounts: tuple[str, ...]) -> Disk | None:
    folder = f"{_BLOCK}/{name}"
    sectors = tree.read_int(f"{folder}/size")
    if sectors is not None and not 0 < sectors < _MAX_SECTORS:
        return None  # a reader without a card in it
    model = tree.read_line(f"{folder}/device/model") or tree.read_line(f"{folder}/device/name")
    return Disk(
        name=name,
        kind=_kind(tree, name, model or ""),
        model=model,
        size_bytes=None if sectors is None else sectors * _SECTOR_BYTES,
        mounts=mounts,
    )


def _kind(
    tree: Tree, name: str, model: str
) -> Literal["nvme", "ssd", "hdd", "sd_card", "emmc", "usb", "virtual", "unknown"]:
    folder = f"{_BLOCK}/{name}"
    if _VIRTUAL_NAME.match(name) or _VIRTUAL_MODEL.search(model):
        return "virtual"
    if name.startswith("mmcblk"):
        kind = tree.read_line(f"{folder}/device/type")
        return "sd_card" if kind == "SD" else "emmc" if kind == "MMC" else "unknown"
    if "/usb" in (tree.resolve(folder) or ""):
        return "usb"
    if name.startswith("nvme"):
        return "nvme"
    rotational = tree.read_int(f"{folder}/queue/rotational")
    return "unknown" if rotational is None else "hdd" if rotational else "ssd"


def _mounts_by_disk(tree: Tree, names: tuple[str, ...]) -> dict[str, set[str]]:
    by_disk: defaultdict[str, set[str]] = defaultdict(set)
    for name, points in _mounts_by_device(tree, names).items():
        for disk in _disks_below(tree, name):
            by_disk[disk].update(points)
    return by_disk


def _mounts_by_device(tree: Tree, names: tuple[str, ...]) -> dict[str, set[str]]:
    devices = {number: name for name in names if (number := tree.read_line(f"{_BLOCK}/{name}/dev")) is not None}
    volumes = {volume: name for name in names if (volume := tree.read_line(f"{_BLOCK}/{name}/dm/name")) is not None}
    sources = {name: name for name in names} | volumes
    by_device: defaultdict[str, set[str]] = defaultdict(set)
    for number, point, source in parse_mountinfo(tree.read_text("/proc/self/mountinfo")):
        # Btrfs numbers its mounts itself: there the source names the device.
        name = devices.get(number) or sources.get(source.removeprefix("/dev/mapper/").removeprefix("/dev/"))
        if name is not None and point not in _SINGLE_FILES and printable(point) == point:
            by_device[name].add(point)
    return by_device


def _disks_below(tree: Tree, device: str) -> set[str]:
    """Return the disks that a device is on: those of a volume's parts, or the one that it is a partition of."""
    disks: set[str] = set()
    seen: set[str] = set()
    todo = [device]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            parts = tree.list_dir(f"{_BLOCK}/{name}/slaves")
            todo.extend(parts)
            if not parts:
                disks.add(_parent(tree, name) if tree.exists(f"{_BLOCK}/{name}/partition") else name)
    return disks


def _parent(tree: Tree, partition: str) -> str:
    """Return the disk of a partition: the folder that its own is in."""
    folder = (tree.resolve(f"{_BLOCK}/{partition}") or "").rpartition("/")[0]
    return folder.rpartition("/")[2]


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)
