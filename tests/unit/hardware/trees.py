"""Small trees that stand in for `/`, written out in the test that needs them."""

from collections.abc import Mapping
from pathlib import Path

from appliance.hardware.files import Notes, Tree


def plant(root: Path, files: Mapping[str, str], links: Mapping[str, str] | None = None) -> Path:
    """Write the files, and links from a path to a target, under `root`; a path that ends in `/` is an empty folder."""
    for path, text in files.items():
        place = root / path.lstrip("/")
        if path.endswith("/"):
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
    for path, target in (links or {}).items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)
    return root


def tree_of(root: Path, files: Mapping[str, str], links: Mapping[str, str] | None = None) -> Tree:
    """Return a planted tree, ready to be probed."""
    return Tree(plant(root, files, links), Notes())


def _cores(*groups: tuple[int, ...]) -> dict[str, str]:
    files = {}
    for group in groups:
        for cpu in group:
            folder = f"/sys/devices/system/cpu/cpu{cpu}"
            siblings = ",".join(map(str, group))
            files |= {
                f"{folder}/topology/thread_siblings_list": f"{siblings}\n",
                f"{folder}/topology/physical_package_id": "0\n",
                f"{folder}/cpufreq/cpuinfo_max_freq": "4500000\n",
                f"{folder}/cpufreq/scaling_governor": "powersave\n",
                f"{folder}/cache/index0/level": "1\n",
                f"{folder}/cache/index0/type": "Data\n",
                f"{folder}/cache/index0/size": "32K\n",
                f"{folder}/cache/index0/shared_cpu_list": f"{siblings}\n",
            }
    return files


# A machine that has a bit of everything: two cores of two threads and a small one, an encrypted disk, a limited group.
FILES = {
    "/proc/cpuinfo": "".join(
        f"processor\t: {cpu}\nvendor_id\t: GenuineIntel\nmodel name\t: Some CPU\nflags\t\t: lm avx2 fma hypervisor\n\n"
        for cpu in range(5)
    ),
    "/proc/meminfo": "MemTotal: 8388608 kB\nMemAvailable: 4194304 kB\nSwapTotal: 0 kB\n",
    "/proc/self/status": "Name:\tx\nCpus_allowed_list:\t0-4\n",
    "/proc/self/cgroup": "0::/box\n",
    "/proc/self/mountinfo": "27 1 253:0 / / rw shared:1 - ext4 /dev/mapper/root rw\n",
    "/proc/sys/kernel/osrelease": "6.12.0\n",
    "/proc/1/environ": "PATH=/bin\0",
    "/proc/xen/capabilities": "\n",
    "/usr/lib/os-release": 'PRETTY_NAME="Debian GNU/Linux 13"\n',
    "/sys/devices/system/cpu/online": "0-4\n",
    "/sys/devices/cpu_core/cpus": "0-3\n",
    "/sys/devices/system/node/node0/cpulist": "0-4\n",
    "/sys/devices/system/node/node0/meminfo": "Node 0 MemTotal: 8388608 kB\n",
    "/sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc kvm-clock\n",
    "/sys/fs/cgroup/box/memory.max": "4294967296\n",
    "/sys/fs/cgroup/box/memory.current": "1073741824\n",
    "/sys/fs/cgroup/box/memory.stat": "inactive_file 4096\n",
    "/sys/fs/cgroup/box/cpu.max": "150000 100000\n",
    "/sys/class/dmi/id/board_vendor": "Maker\n",
    "/sys/class/dmi/id/board_name": "Board 1\n",
    "/sys/class/dmi/id/sys_vendor": "QEMU\n",
    "/sys/firmware/devicetree/base/compatible": "maker,board\0",
    "/sys/devices/pci0/block/sda/size": "2048000\n",
    "/sys/devices/pci0/block/sda/dev": "8:0\n",
    "/sys/devices/pci0/block/sda/queue/rotational": "0\n",
    "/sys/devices/pci0/block/sda/device/model": "Disk\n",
    "/sys/devices/pci0/block/sda/sda1/partition": "1\n",
    "/sys/devices/pci0/block/sda/sda1/dev": "8:1\n",
    "/sys/devices/virtual/block/dm-0/dev": "253:0\n",
    "/sys/devices/virtual/block/dm-0/dm/name": "root\n",
    **_cores((0, 1), (2, 3), (4,)),
}
LINKS = {
    "/etc/os-release": "../usr/lib/os-release",
    "/proc/device-tree": "/sys/firmware/devicetree/base",
    "/sys/class/block/sda": "../../devices/pci0/block/sda",
    "/sys/class/block/sda1": "../../devices/pci0/block/sda/sda1",
    "/sys/class/block/dm-0": "../../devices/virtual/block/dm-0",
    "/sys/devices/virtual/block/dm-0/slaves/sda1": "../../../../pci0/block/sda/sda1",
}
