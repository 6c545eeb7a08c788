"""Which logical processors share a core, and which cores are the fast ones where not all are alike."""

from collections.abc import Iterable

import msgspec

from appliance.hardware.cpuinfo import CpuInfo
from appliance.hardware.files import Tree, parse_cpu_list

CPUS = "/sys/devices/system/cpu"

# Below this part of the fastest core's capacity or clock a core is an efficiency core. The favoured cores of one kind
# differ by less than a tenth; small ARM cores reach a half of the big ones, compact Zen cores two thirds of the clock.
_CAPACITY_RATIO = 0.6
_CLOCK_RATIO = 0.75
# Below this part of the fastest clock a core is there for an idle machine, as two of Intel's Core Ultra are.
_IDLE_CLOCK_RATIO = 0.5

# With more small cores than this to each big one, all of them together are faster than the big ones alone.
_MANY_EFFICIENCY_CORES = 2


class Topology(msgspec.Struct, frozen=True, kw_only=True):
    """The cores. `core_of_cpu` maps each logical processor to the first one of its core; empty where nothing tells.

    `efficiency_cpus` is empty where all cores are alike; `idle_cpus` are those of them that are too slow to help.
    """

    cpus: frozenset[int]
    core_of_cpu: dict[int, int]
    efficiency_cpus: frozenset[int]
    idle_cpus: frozenset[int]
    num_sockets: int | None

    def num_cores(self, cpus: Iterable[int]) -> int:
        """Return how many cores these processors stand for; one each where nothing tells."""
        return len({self.core_of_cpu.get(cpu, cpu) for cpu in cpus})


def read_topology(tree: Tree, info: CpuInfo) -> Topology:
    """Return the cores that are online. The kernel's folders come before `/proc/cpuinfo`, which ARM leaves bare."""
    cpus = frozenset(parse_cpu_list(tree.read_text(f"{CPUS}/online"))) or info.cpus
    cores = _cores_from_siblings(tree, cpus) or _cores_from_cpuinfo(info, cpus)
    slow = _efficiency_cpus(tree, cpus, cores)
    return Topology(
        cpus=cpus,
        core_of_cpu=cores,
        efficiency_cpus=slow,
        idle_cpus=slow & _slower(tree, cpus, cores, "cpufreq/cpuinfo_max_freq", _IDLE_CLOCK_RATIO),
        num_sockets=info.num_sockets or _num_sockets(tree, cpus, cores),
    )


def usable_cores(topology: Topology, allowed_cpus: frozenset[int], quota_cores: float | None) -> int:
    """Return how many threads a step of a model should have: one for each core that is worth having, at least one.

    The cores of the allowed processors count, and whole ones of what the quota pays for. The threads of a step wait for
    each other, so a slow core holds up the fast ones: efficiency cores count only where no others are allowed, or where
    they are so many that they make up for it.
    """
    cpus = topology.cpus & allowed_cpus or topology.cpus or allowed_cpus
    cpus = cpus - topology.idle_cpus or cpus
    fast = cpus - topology.efficiency_cpus
    num_all, num_fast = topology.num_cores(cpus), topology.num_cores(fast)
    num_cores = num_fast if 0 < num_all - num_fast <= _MANY_EFFICIENCY_CORES * num_fast else num_all
    return max(1, num_cores if quota_cores is None else min(num_cores, int(quota_cores)))


def _cores_from_siblings(tree: Tree, cpus: frozenset[int]) -> dict[int, int]:
    """Return the first processor of each one's core, empty unless all are told.

    Not from `core_id`, which older kernels count anew in each cluster of an ARM processor.
    """
    cores: dict[int, int] = {}
    for cpu in sorted(cpus):
        if cpu not in cores:
            siblings = cpus.intersection(
                parse_cpu_list(tree.read_text(f"{CPUS}/cpu{cpu}/topology/thread_siblings_list"))
            )
            if cpu not in siblings:
                return {}
            cores.update(dict.fromkeys(siblings, min(siblings)))
    return cores


def _cores_from_cpuinfo(info: CpuInfo, cpus: frozenset[int]) -> dict[int, int]:
    first: dict[tuple[int, int], int] = {}
    cores = {cpu: first.setdefault(core, cpu) for cpu, core in sorted(info.core_of_cpu.items())}
    return cores if cpus <= cores.keys() else {}


def _num_sockets(tree: Tree, cpus: frozenset[int], cores: dict[int, int]) -> int | None:
    packages = {tree.read_int(f"{CPUS}/cpu{cpu}/topology/physical_package_id") for cpu in set(cores.values()) & cpus}
    if not packages or None in packages or -1 in packages:
        return None
    # Where a device tree describes the machine, older kernels call each cluster of cores a package.
    is_told = len(packages) == 1 or not tree.exists("/sys/firmware/devicetree/base")
    return len(packages) if is_told else None


def _efficiency_cpus(tree: Tree, cpus: frozenset[int], cores: dict[int, int]) -> frozenset[int]:
    fast = cpus.intersection(parse_cpu_list(tree.read_text("/sys/devices/cpu_core/cpus")))
    if fast:  # Intel's hybrid processors
        return cpus - fast
    by_capacity = _slower(tree, cpus, cores, "cpu_capacity", _CAPACITY_RATIO)
    return by_capacity or _slower(tree, cpus, cores, "cpufreq/cpuinfo_max_freq", _CLOCK_RATIO)


def _slower(tree: Tree, cpus: frozenset[int], cores: dict[int, int], file: str, ratio: float) -> frozenset[int]:
    speeds = {core: tree.read_int(f"{CPUS}/cpu{core}/{file}") for core in set(cores.values())}
    fastest = max((speed for speed in speeds.values() if speed is not None), default=0)
    slow = {core for core, speed in speeds.items() if speed is not None and speed < ratio * fastest}
    return frozenset(cpu for cpu in cpus if cores.get(cpu, cpu) in slow)
