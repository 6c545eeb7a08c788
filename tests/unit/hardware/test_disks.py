"""Disks: what each is made of, and what is mounted from it."""

from pathlib import Path

import pytest

from appliance.hardware.disks import parse_mountinfo, probe_disks
from tests.unit.hardware.trees import tree_of

BLOCK = "/sys/class/block"


def _mount(number: str, point: str, source: str) -> str:
    return f"30 1 {number} / {point} rw,relatime shared:1 - ext4 {source} rw\n"


@pytest.mark.parametrize(
    ("name", "files", "folder", "kind"),
    [
        ("nvme0n1", {}, "pci0000:00/nvme/nvme0/nvme0n1", "nvme"),
        ("sda", {"queue/rotational": "1"}, "pci0000:00/ata1/block/sda", "hdd"),
        ("sda", {"queue/rotational": "0"}, "pci0000:00/ata1/block/sda", "ssd"),
        ("sda", {"queue/rotational": "0"}, "pci0000:00/usb2/2-1/block/sda", "usb"),
        ("sda", {"queue/rotational": "1", "device/model": "QEMU HARDDISK"}, "pci0000:00/ata1/block/sda", "virtual"),
        ("sda", {}, "platform/block/sda", "unknown"),
        ("vda", {"queue/rotational": "1"}, "pci0000:00/virtio1/block/vda", "virtual"),
        ("mmcblk0", {"device/type": "SD\n"}, "platform/mmc0/block/mmcblk0", "sd_card"),
        ("mmcblk0", {"device/type": "MMC\n"}, "platform/mmc0/block/mmcblk0", "emmc"),
    ],
)
def test_a_disk_is_known_by_its_kind(tmp_path: Path, name: str, files: dict[str, str], folder: str, kind: str) -> None:
    place = f"/sys/devices/{folder}"
    planted = {f"{place}/size": "2048\n"} | {f"{place}/{path}": text for path, text in files.items()}
    disks = probe_disks(tree_of(tmp_path, planted, {f"{BLOCK}/{name}": f"../../devices/{folder}"}))
    assert [(disk.name, disk.kind, disk.size_bytes) for disk in disks] == [(name, kind, 2**20)]


def test_mounts_count_for_the_disk_under_partitions_and_volumes(tmp_path: Path) -> None:
    disk = "/sys/devices/pci/block/sda"
    volume = "/sys/devices/virtual/block/dm-0"
    files = {
        f"{disk}/size": "4096\n",
        f"{disk}/device/model": "Samsung SSD\n",
        f"{disk}/dev": "8:0\n",
        f"{disk}/sda1/partition": "1\n",
        f"{disk}/sda1/dev": "8:1\n",
        f"{disk}/sda2/partition": "2\n",
        f"{disk}/sda2/dev": "8:2\n",
        f"{volume}/dev": "253:0\n",
        f"{volume}/dm/name": "luks-home\n",
        "/proc/self/mountinfo": _mount("8:1", "/", "/dev/sda1")
        + _mount("253:0", "/home", "/dev/mapper/luks-home")
        + _mount("0:40", "/data", "/dev/sda2")
        + _mount("0:41", "/vault", "/dev/mapper/luks-home")
        + _mount("8:1", "/etc/hosts", "/dev/sda1")
        + _mount("0:21", "/proc", "proc"),
    }
    links = {
        f"{BLOCK}/sda": "../../devices/pci/block/sda",
        f"{BLOCK}/sda1": "../../devices/pci/block/sda/sda1",
        f"{BLOCK}/sda2": "../../devices/pci/block/sda/sda2",
        f"{BLOCK}/dm-0": "../../devices/virtual/block/dm-0",
        f"{volume}/slaves/sda2": "../../../../pci/block/sda/sda2",
    }
    disks = probe_disks(tree_of(tmp_path, files, links))
    assert [(disk.name, disk.model, disk.mounts) for disk in disks] == [
        ("sda", "Samsung SSD", ("/", "/data", "/home", "/vault"))
    ]


def test_what_is_no_disk_is_left_out(tmp_path: Path) -> None:
    names = ("loop0", "zram0", "ram1", "sr0", "md0", "mmcblk0boot0", "nvme0c0n1")
    files = {f"{BLOCK}/{name}/size": "2048\n" for name in names} | {f"{BLOCK}/sdb/size": "0\n"}
    assert probe_disks(tree_of(tmp_path, files)) == ()


def test_volumes_that_go_in_a_circle_end(tmp_path: Path) -> None:
    files = {
        f"{BLOCK}/dm-0/slaves/dm-1/": "",
        f"{BLOCK}/dm-1/slaves/dm-0/": "",
        "/proc/self/mountinfo": _mount("0:9", "/", "/dev/dm-0"),
    }
    assert probe_disks(tree_of(tmp_path, files)) == ()


def test_spaces_in_mount_points_are_the_kernels_octal() -> None:
    assert parse_mountinfo(_mount("8:1", "/my\\040disk", "/dev/sda1") + "cut off") == [("8:1", "/my disk", "/dev/sda1")]
