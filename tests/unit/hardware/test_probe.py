"""All probes together, on a small machine that is written out, on nothing at all, and on this one."""

import time
from pathlib import Path

import msgspec

from appliance.core.hardware import Board, Disk, HardwareSnapshot, Instruction, Memory, NumaNode, System
from appliance.hardware.probe import cpu_busy_ratio, probe
from tests.unit.hardware.trees import FILES, LINKS, plant

GIB = 2**30


def test_a_machine_is_described_whole(tmp_path: Path) -> None:
    snapshot = probe(plant(tmp_path, FILES, LINKS))
    processor = snapshot.processor
    assert (processor.model, processor.instructions) == ("Some CPU", {Instruction.AVX2, Instruction.FMA})
    assert (processor.logical_cores, processor.physical_cores) == (5, 3)
    assert (processor.performance_cores, processor.efficiency_cores) == (2, 1)
    assert (processor.quota_cores, processor.usable_cores) == (1.5, 1)
    assert (processor.max_mhz, processor.governor, len(processor.caches)) == (4500, "powersave", 2)
    assert snapshot.memory == Memory(total_bytes=4 * GIB, physical_bytes=8 * GIB, limit_bytes=4 * GIB, swap_bytes=0)
    assert snapshot.numa_nodes == (NumaNode(index=0, cpus=(0, 1, 2, 3, 4), memory_bytes=8 * GIB),)
    assert snapshot.board == Board(family="other", model="Maker Board 1")
    assert snapshot.disks == (Disk(name="sda", kind="ssd", model="Disk", size_bytes=2048000 * 512, mounts=("/",)),)
    assert snapshot.system == System(name="Debian GNU/Linux 13", kernel="6.12.0", container=None, virtual_machine="kvm")
    assert (snapshot.accelerators, snapshot.notes) == ((), ())


def test_version_1_limits_are_found_at_the_mount_when_the_path_is_the_hosts(tmp_path: Path) -> None:
    files = {
        "/proc/self/cgroup": "3:cpu,cpuacct:/docker/0123456789abcdef\n2:memory:/docker/0123456789abcdef\n",
        "/proc/meminfo": "MemTotal: 8388608 kB\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "150000\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2 * GIB}\n",
    }
    snapshot = probe(plant(tmp_path, files))
    assert snapshot.processor.quota_cores == 1.5
    assert snapshot.memory.total_bytes == 2 * GIB
    assert snapshot.system.container == "docker"


def test_a_machine_of_which_nothing_is_known_is_still_described_and_every_gap_noted(tmp_path: Path) -> None:
    snapshot = probe(tmp_path)
    assert snapshot.processor.usable_cores >= 1
    assert snapshot.memory.total_bytes > 0
    assert (snapshot.processor.model, snapshot.board, snapshot.disks) == (None, None, ())
    assert [note.split()[0] for note in snapshot.notes] == ["/proc/cpuinfo", "the", "/proc/meminfo"]


def test_this_machine_is_described_at_once_and_can_be_sent() -> None:
    started_s = time.perf_counter()
    snapshot = probe()
    assert time.perf_counter() - started_s < 2  # some milliseconds, where nothing else is busy
    assert snapshot.processor.usable_cores >= 1
    assert msgspec.json.decode(msgspec.json.encode(snapshot), type=HardwareSnapshot) == snapshot


def test_the_busy_ratio_is_a_ratio() -> None:
    assert 0 <= cpu_busy_ratio() <= 1
