"""The processor: what it is, which of its cores this process may use, and how fast they may run."""

import os
import platform

import psutil

from appliance.core.hardware import Processor
from appliance.hardware.caches import read_caches
from appliance.hardware.cgroup import CgroupLimits
from appliance.hardware.cpuinfo import CpuInfo
from appliance.hardware.files import Tree, parse_cpu_list
from appliance.hardware.instructions import instructions_of
from appliance.hardware.topology import CPUS, Topology, read_topology, usable_cores

CPUINFO = "/proc/cpuinfo"
# Two kilobytes for each of the thousand processors of the largest machines.
MAX_CPUINFO_BYTES = 4 * 2**20


def probe_processor(tree: Tree, info: CpuInfo, limits: CgroupLimits) -> Processor:
    """Return the processor whose `/proc/cpuinfo` is `info`."""
    topology = read_topology(tree, info)
    allowed = parse_allowed_cpus(tree.read_text("/proc/self/status"))
    if not topology.cpus:
        tree.notes.add("the system does not list its processors in files: their number is what it tells programs")
    elif not topology.core_of_cpu:
        tree.notes.add("the kernel does not say which processors share a core: each is taken for one")
    num_slow = topology.num_cores(topology.efficiency_cpus)
    num_cores = len(set(topology.core_of_cpu.values())) or _counted_cores()
    num_cpus = len(topology.cpus) or os.cpu_count() or 1
    usable = allowed or frozenset(range(num_cpus if topology.cpus or num_cores is None else num_cores))
    return Processor(
        architecture=info.architecture or platform.machine() or "unknown",
        vendor=info.vendor,
        model=info.model,
        features=info.features,
        instructions=instructions_of(info.features),
        num_sockets=topology.num_sockets,
        logical_cores=num_cpus,
        physical_cores=num_cores,
        performance_cores=num_cores - num_slow if num_cores and num_slow else None,
        efficiency_cores=num_slow or None,
        quota_cores=limits.quota_cores,
        usable_cores=usable_cores(topology, usable, limits.quota_cores),
        max_mhz=_max_mhz(tree, topology),
        governor=_governor(tree, topology),
        caches=read_caches(tree, topology.cpus),
    )


def parse_allowed_cpus(status_text: str) -> frozenset[int]:
    """Return the processors that the text of `/proc/self/status` allows; empty, if it names none."""
    lines = (line.partition(":") for line in status_text.splitlines())
    listed = next((value for key, _, value in lines if key == "Cpus_allowed_list"), "")
    return frozenset(parse_cpu_list(listed))


def _counted_cores() -> int | None:
    """Return the cores of a system that is not Linux, and keeps no files about them."""
    return None if platform.system() == "Linux" else psutil.cpu_count(logical=False)


def _max_mhz(tree: Tree, topology: Topology) -> float | None:
    cores = set(topology.core_of_cpu.values()) or topology.cpus
    clocks_khz = (tree.read_int(f"{CPUS}/cpu{cpu}/cpufreq/cpuinfo_max_freq") for cpu in cores)
    return max((khz / 1000 for khz in clocks_khz if khz is not None and khz > 0), default=None)


def _governor(tree: Tree, topology: Topology) -> str | None:
    """Return what sets the clock; more than one where the cores differ."""
    cores = set(topology.core_of_cpu.values()) or topology.cpus
    names = {tree.read_line(f"{CPUS}/cpu{cpu}/cpufreq/scaling_governor") for cpu in cores}
    return ", ".join(sorted(name for name in names if name)) or None
