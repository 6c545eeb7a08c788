"""Memory: what the machine has, what a control group leaves, and what is free now."""

from pathlib import Path

from appliance.hardware.cgroup import parse_cgroup, read_limits
from appliance.hardware.memory import memory_available_bytes, parse_meminfo, probe_memory
from tests.unit.hardware.trees import plant, tree_of

GIB = 2**30
MEMINFO = "MemTotal:       16777216 kB\nMemAvailable:    8388608 kB\nSwapTotal:       1048576 kB\nHugePages_Total: 0\n"


def test_a_machine_without_limits_has_all_of_its_memory(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, {"/proc/meminfo": MEMINFO})
    memory = probe_memory(tree, read_limits(tree))
    assert (memory.total_bytes, memory.physical_bytes, memory.limit_bytes) == (16 * GIB, 16 * GIB, None)
    assert memory.swap_bytes == GIB
    assert memory_available_bytes(tmp_path) == 8 * GIB


def test_a_limit_past_the_memory_limits_nothing(tmp_path: Path) -> None:
    files = {
        "/proc/meminfo": MEMINFO,
        "/proc/self/cgroup": "0::/\n",
        "/sys/fs/cgroup/memory.max": f"{64 * GIB}\n",
    }
    tree = tree_of(tmp_path, files)
    memory = probe_memory(tree, read_limits(tree))
    assert (memory.total_bytes, memory.limit_bytes) == (16 * GIB, None)


def test_the_tightest_group_of_version_2_limits(tmp_path: Path) -> None:
    files = {
        "/proc/meminfo": MEMINFO,
        "/proc/self/cgroup": "0::/machine/box\n",
        "/sys/fs/cgroup/machine/memory.max": f"{4 * GIB}\n",
        "/sys/fs/cgroup/machine/memory.current": f"{GIB}\n",
        "/sys/fs/cgroup/machine/cpu.max": "150000 100000\n",
        "/sys/fs/cgroup/machine/box/memory.max": "max\n",
        "/sys/fs/cgroup/machine/box/cpu.max": "max 100000\n",
    }
    tree = tree_of(tmp_path, files)
    limits = read_limits(tree)
    assert (limits.quota_cores, limits.memory_limit_bytes) == (1.5, 4 * GIB)
    memory = probe_memory(tree, limits)
    assert (memory.total_bytes, memory.physical_bytes, memory.limit_bytes) == (4 * GIB, 16 * GIB, 4 * GIB)
    assert memory_available_bytes(tmp_path) == 3 * GIB


def test_the_file_cache_of_a_group_is_not_in_the_way(tmp_path: Path) -> None:
    group = "/sys/fs/cgroup/box"
    files = {
        "/proc/meminfo": MEMINFO,
        "/proc/self/cgroup": "0::/box\n",
        f"{group}/memory.max": f"{4 * GIB}",
        f"{group}/memory.current": f"{3 * GIB}",
        f"{group}/memory.stat": f"anon 5\ninactive_file {GIB}\n",
    }
    assert memory_available_bytes(plant(tmp_path, files)) == 2 * GIB


def test_version_1_without_a_limit_sets_none(tmp_path: Path) -> None:
    files = {
        "/proc/self/cgroup": "4:memory:/\n1:cpu,cpuacct:/\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }
    limits = read_limits(tree_of(tmp_path, files))
    assert (limits.quota_cores, limits.memory_limit_bytes, limits.memory_headroom_bytes) == (None, None, None)


def test_a_group_that_leads_out_of_its_mount_is_looked_for_at_the_mount(tmp_path: Path) -> None:
    files = {"/proc/self/cgroup": "0::/../../box\n", "/sys/fs/cgroup/cpu.max": "200000 100000\n"}
    assert read_limits(tree_of(tmp_path, files)).quota_cores == 2


def test_a_period_of_zero_is_no_quota(tmp_path: Path) -> None:
    files = {"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "200000 0\n"}
    assert read_limits(tree_of(tmp_path, files)).quota_cores is None


def test_memory_that_nothing_tells_is_noted(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, {})
    memory = probe_memory(tree, read_limits(tree))
    assert memory.total_bytes > 0
    assert (memory.physical_bytes, memory.swap_bytes) == (None, None)
    assert "/proc/meminfo" in tree.notes.as_tuple()[0]


def test_lines_that_are_not_the_kernels_are_passed_over() -> None:
    assert parse_meminfo("MemTotal: lots\nMemFree: 1 kB\nNode 0 MemUsed: 2 kB\n") == {"MemFree": 1024, "MemUsed": 2048}
    assert parse_cgroup("nonsense\n0::/a:b\n") == {"": "/a:b"}
