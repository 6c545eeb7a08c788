"""The processor: names, instruction sets, cores of both kinds, limits, clock and caches."""

import platform
from collections.abc import Iterable
from pathlib import Path

import psutil
import pytest

from appliance.core.hardware import Cache, Instruction, Processor
from appliance.hardware.caches import parse_size_bytes
from appliance.hardware.cgroup import CgroupLimits
from appliance.hardware.cpuinfo import parse_cpuinfo
from appliance.hardware.instructions import instructions_of
from appliance.hardware.processor import parse_allowed_cpus, probe_processor
from tests.unit.hardware.trees import tree_of

CPU = "/sys/devices/system/cpu"
X86 = (
    "vendor_id\t: {vendor}\nmodel name\t: {name}\nphysical id\t: {socket}\ncore id\t\t: {core}\nflags\t\t: lm {flags}\n"
)
AVX512 = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}


def _x86(cores: Iterable[tuple[int, int]], flags: str = "avx2", vendor: str = "GenuineIntel") -> str:
    blocks = (
        f"processor\t: {cpu}\n" + X86.format(vendor=vendor, name="Some CPU", socket=socket, core=core, flags=flags)
        for cpu, (socket, core) in enumerate(cores)
    )
    return "\n".join(blocks)


def _arm(parts: Iterable[str], features: str = "fp asimd asimddp") -> str:
    blocks = (
        f"processor\t: {cpu}\nFeatures\t: {features}\nCPU implementer\t: 0x41\nCPU part\t: {part}\n"
        for cpu, part in enumerate(parts)
    )
    return "\n".join(blocks)


def _siblings(*groups: str) -> dict[str, str]:
    """Return the kernel's folders for cores of these processors (`0-1`)."""
    files = {}
    for group in groups:
        first, _, last = group.partition("-")
        for cpu in range(int(first), int(last or first) + 1):
            files[f"{CPU}/cpu{cpu}/topology/thread_siblings_list"] = group
    return files | {f"{CPU}/online": ",".join(groups)}


def _probe(
    root: Path, cpuinfo: str, files: dict[str, str] | None = None, quota_cores: float | None = None
) -> Processor:
    limits = CgroupLimits(quota_cores=quota_cores, memory_limit_bytes=None, memory_headroom_bytes=None)
    return probe_processor(tree_of(root, files or {}), parse_cpuinfo(cpuinfo), limits)


def _allow(cpus: str) -> dict[str, str]:
    return {"/proc/self/status": f"Name:\tx\nCpus_allowed_list:\t{cpus}\n"}


def test_a_processor_of_two_sockets_is_described_from_cpuinfo_alone(tmp_path: Path) -> None:
    processor = _probe(tmp_path, _x86([(0, 0), (0, 0), (1, 0), (1, 0)]))
    assert (processor.architecture, processor.vendor, processor.model) == ("x86_64", "Intel", "Some CPU")
    assert (processor.num_sockets, processor.logical_cores, processor.physical_cores) == (2, 4, 2)
    assert (processor.performance_cores, processor.efficiency_cores, processor.usable_cores) == (None, None, 2)
    assert (processor.max_mhz, processor.governor, processor.caches) == (None, None, ())


def test_only_affinity_and_whole_cores_of_the_quota_are_usable(tmp_path: Path) -> None:
    cpuinfo = _x86([(0, core // 2) for core in range(16)])
    assert _probe(tmp_path / "a", cpuinfo, _allow("0-2,8")).usable_cores == 3
    assert _probe(tmp_path / "b", cpuinfo, quota_cores=2.5).usable_cores == 2
    assert _probe(tmp_path / "c", cpuinfo, quota_cores=0.5).usable_cores == 1


@pytest.mark.parametrize(
    ("num_fast", "num_slow", "usable"),
    [(8, 4, 8), (8, 16, 8), (2, 8, 10)],
)
def test_efficiency_cores_count_only_where_they_make_up_for_being_slow(
    tmp_path: Path, num_fast: int, num_slow: int, usable: int
) -> None:
    fast = [f"{2 * core}-{2 * core + 1}" for core in range(num_fast)]
    slow = [str(2 * num_fast + core) for core in range(num_slow)]
    files = _siblings(*fast, *slow) | {"/sys/devices/cpu_core/cpus": f"0-{2 * num_fast - 1}\n"}
    processor = _probe(tmp_path, "", files)
    assert (processor.performance_cores, processor.efficiency_cores) == (num_fast, num_slow)
    assert processor.physical_cores == num_fast + num_slow
    assert processor.usable_cores == usable


def test_cores_for_an_idle_machine_are_never_waited_for(tmp_path: Path) -> None:
    clocks = [4800] * 2 + [3800] * 8 + [2100] * 2
    files = _siblings(*map(str, range(12))) | {"/sys/devices/cpu_core/cpus": "0-1\n"}
    files |= {f"{CPU}/cpu{cpu}/cpufreq/cpuinfo_max_freq": f"{clock}000\n" for cpu, clock in enumerate(clocks)}
    processor = _probe(tmp_path / "all", "", files)
    assert (processor.performance_cores, processor.efficiency_cores, processor.usable_cores) == (2, 10, 10)
    assert _probe(tmp_path / "kept", "", files | _allow("10-11")).usable_cores == 2


def test_a_process_kept_to_efficiency_cores_uses_those(tmp_path: Path) -> None:
    files = _siblings("0-1", "2", "3", "4") | {"/sys/devices/cpu_core/cpus": "0-1\n"} | _allow("2-3")
    assert _probe(tmp_path, "", files).usable_cores == 2


def test_big_and_little_cores_of_arm_are_told_by_their_capacity(tmp_path: Path) -> None:
    capacities = [530, 530, 530, 530, 1024, 1024, 1008, 1008]
    files = _siblings(*map(str, range(8)))
    files |= {f"{CPU}/cpu{cpu}/cpu_capacity": f"{capacity}\n" for cpu, capacity in enumerate(capacities)}
    processor = _probe(tmp_path, _arm(["0xd05"] * 4 + ["0xd0b"] * 4), files)
    assert (processor.architecture, processor.vendor, processor.model) == ("aarch64", "ARM", "Cortex-A76 + Cortex-A55")
    assert (processor.performance_cores, processor.efficiency_cores, processor.usable_cores) == (4, 4, 4)


def test_compact_cores_are_told_by_their_clock_and_favoured_cores_are_not_another_kind(tmp_path: Path) -> None:
    def clocks(*mhz: int) -> dict[str, str]:
        files = {f"{CPU}/cpu{cpu}/cpufreq/cpuinfo_max_freq": f"{clock}000\n" for cpu, clock in enumerate(mhz)}
        return _siblings(*map(str, range(len(mhz)))) | files

    compact = _probe(tmp_path / "a", "", clocks(5100, 5000, 3300, 3300))
    assert (compact.performance_cores, compact.efficiency_cores, compact.max_mhz) == (2, 2, 5100)
    favoured = _probe(tmp_path / "b", "", clocks(5000, 4700))
    assert (favoured.performance_cores, favoured.efficiency_cores) == (None, None)


def test_an_arm_processor_without_folders_has_a_core_for_each_and_no_claim(tmp_path: Path) -> None:
    processor = _probe(tmp_path, _arm(["0xd0c"] * 4))
    assert processor.model == "Neoverse-N1"
    assert (processor.physical_cores, processor.num_sockets, processor.usable_cores) == (None, None, 4)


def test_clusters_of_a_device_tree_are_no_sockets(tmp_path: Path) -> None:
    files = _siblings("0", "1") | {f"{CPU}/cpu{cpu}/topology/physical_package_id": f"{cpu}\n" for cpu in range(2)}
    assert _probe(tmp_path / "a", _arm(["0xd03"] * 2), files).num_sockets == 2
    board = files | {"/sys/firmware/devicetree/base/model": "Board"}
    assert _probe(tmp_path / "b", _arm(["0xd03"] * 2), board).num_sockets is None


def test_a_system_without_these_files_is_asked_for_its_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: 16 if logical else 8)
    processor = _probe(tmp_path, "")
    assert (processor.physical_cores, processor.usable_cores) == (8, 8)


def test_cores_of_different_governors_name_both(tmp_path: Path) -> None:
    governors = {f"{CPU}/cpu{cpu}/cpufreq/scaling_governor": name for cpu, name in enumerate(["powersave", "ondemand"])}
    assert _probe(tmp_path, "", _siblings("0", "1") | governors).governor == "ondemand, powersave"


def test_a_cache_counts_once_for_all_that_share_it(tmp_path: Path) -> None:
    files = _siblings("0", "1", "2", "3")
    for cpu in range(4):
        for index, (level, kind, size, sharing) in enumerate(
            [
                (1, "Data", "48K", str(cpu)),
                (2, "Unified", "1M", "0-1" if cpu < 2 else "2-3"),
                (3, "Unified", "98304K" if cpu < 2 else "32768K", "0-1" if cpu < 2 else "2-3"),
            ]
        ):
            folder = f"{CPU}/cpu{cpu}/cache/index{index}"
            values = {"level": str(level), "type": kind, "size": size, "shared_cpu_list": sharing}
            files |= {f"{folder}/{name}": f"{value}\n" for name, value in values.items()}

    def cache(level: int, size_bytes: int, num_instances: int, num_cpus: int) -> Cache:
        kind = "data" if level == 1 else "unified"
        return Cache(
            level=level, kind=kind, size_bytes=size_bytes, num_instances=num_instances, num_cpus_sharing=num_cpus
        )

    assert _probe(tmp_path, "", files).caches == (
        cache(1, 48 * 1024, 4, 1),
        cache(2, 2**20, 2, 2),
        cache(3, 96 * 2**20, 1, 2),
        cache(3, 32 * 2**20, 1, 2),
    )


@pytest.mark.parametrize(
    ("features", "instructions"),
    [
        ({"sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni"}, {"sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni"}),
        (AVX512 | {"avx512_vnni", "avx512_bf16"}, {"avx512", "avx512_vnni", "avx512_bf16"}),
        (AVX512 - {"avx512vl"}, set()),
        ({"amx_tile", "amx_int8", "amx_bf16"}, {"amx_tile", "amx_int8", "amx_bf16"}),
        ({"asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve"}, {"neon", "fp16", "dotprod", "i8mm", "bf16", "sve"}),
        ({"neon", "vfpv4"}, {"neon"}),
        (set(), set()),
    ],
)
def test_instruction_sets_are_named_from_features(features: set[str], instructions: set[str]) -> None:
    assert instructions_of(features) == {Instruction(name) for name in instructions}


def test_every_instruction_set_has_a_feature_that_tells_it() -> None:
    everything = AVX512 | {"asimd", "asimdhp", "asimddp", "avx512vbmi"} | {name.value for name in Instruction}
    assert instructions_of(everything) == set(Instruction)


def test_a_feature_that_one_processor_lacks_is_not_counted() -> None:
    text = _x86([(0, 0)], "avx2 avx512f") + "\n" + _x86([(0, 1)], "avx2")
    assert parse_cpuinfo(text).features == {"lm", "avx2"}


@pytest.mark.parametrize(
    ("text", "architecture", "vendor", "model"),
    [
        ("processor : 0\nvendor_id : AuthenticAMD\nmodel name : AMD EPYC\nflags : lm\n", "x86_64", "AMD", "AMD EPYC"),
        (
            "processor : 0\nmodel name : ARMv7 Processor rev 3\nFeatures : neon\nCPU implementer : 0x41\n"
            "CPU part : 0xd08\n\nModel : Raspberry Pi 4\n",
            "armv7l",
            "ARM",
            "Cortex-A72",
        ),
        ("processor : 0\nFeatures : asimd\nCPU implementer : 0x99\nCPU part : 0x1\n", "aarch64", None, None),
        ("processor : 0\nhart : 1\nisa : rv64imafdc\nuarch : sifive,u74-mc\n", "riscv64", None, "sifive,u74-mc"),
        ("", None, None, None),
        ("junk\x00: \x1b\n::\nprocessor: x\nCPU implementer: 0xzz\n", "armv7l", None, None),
    ],
)
def test_processors_of_many_makers_are_named(
    text: str, architecture: str | None, vendor: str | None, model: str | None
) -> None:
    info = parse_cpuinfo(text)
    assert (info.architecture, info.vendor, info.model) == (architecture, vendor, model)


def test_the_board_that_cpuinfo_names_is_kept() -> None:
    assert parse_cpuinfo("processor : 0\n\nModel : Raspberry Pi 5 Model B\n").board == "Raspberry Pi 5 Model B"


def test_processors_that_the_process_may_use_are_read_from_its_status() -> None:
    assert parse_allowed_cpus("Name:\tx\nCpus_allowed_list:\t3,7-8\n") == {3, 7, 8}
    assert parse_allowed_cpus("Name:\tx\n") == frozenset()


@pytest.mark.parametrize(
    ("text", "size_bytes"), [("1024K", 2**20), ("2M", 2**21), ("64", 64), ("0K", None), ("K", None), (None, None)]
)
def test_sizes_of_caches_are_read(text: str | None, size_bytes: int | None) -> None:
    assert parse_size_bytes(text) == size_bytes
