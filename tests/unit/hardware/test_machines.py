"""What the probes say about each machine of `tests/data/hardware`: a table to read, machine by machine."""

import pytest

from appliance.core.hardware import AcceleratorReadings, HardwareReadings, HardwareSnapshot, Instruction
from appliance.hardware.probe import probe
from appliance.hardware.readings import ReadingsProbe
from tests.unit.hardware.machines import NAMES, tree_of

KIB, MIB, GIB = 2**10, 2**20, 2**30
ZEN4 = {"sse4_2", "avx", "f16c", "fma", "avx2", "avx512", "avx512_vbmi", "avx512_vnni", "avx512_bf16"}
HYBRID = {"sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni"}


def machine(name: str) -> HardwareSnapshot:
    snapshot = probe(tree_of(name))
    assert snapshot.notes == ()
    return snapshot


def readings(name: str) -> HardwareReadings:
    return ReadingsProbe(tree_of(name)).read()


def cores(snapshot: HardwareSnapshot) -> tuple[int | None, int, int | None, int]:
    """Return sockets, logical cores, physical cores and those that a model should use."""
    processor = snapshot.processor
    return processor.num_sockets, processor.logical_cores, processor.physical_cores, processor.usable_cores


def kinds_of_core(snapshot: HardwareSnapshot) -> tuple[int | None, int | None]:
    return snapshot.processor.performance_cores, snapshot.processor.efficiency_cores


def instructions(snapshot: HardwareSnapshot) -> set[str]:
    return {instruction.value for instruction in snapshot.processor.instructions}


def caches(snapshot: HardwareSnapshot) -> list[tuple[str, int, int]]:
    """Return name, KiB and number of all data caches."""
    found = [cache for cache in snapshot.processor.caches if cache.kind != "instruction"]
    return [(f"L{cache.level}", cache.size_bytes // KIB, cache.num_instances) for cache in found]


def disks(snapshot: HardwareSnapshot) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(disk.name, disk.kind, disk.mounts) for disk in snapshot.disks]


def accelerators(snapshot: HardwareSnapshot) -> list[tuple[str, str, str | None, str | None, bool | None]]:
    """Return id, vendor, driver, architecture and whether it shares main memory."""
    return [(one.id, one.vendor, one.driver, one.architecture, one.is_integrated) for one in snapshot.accelerators]


def temperatures(now: HardwareReadings) -> dict[str, tuple[float, float | None]]:
    return {sensor.sensor: (sensor.celsius, sensor.limit_celsius) for sensor in now.temperatures}


def test_raspberry_pi_4() -> None:
    pi, now = machine("raspberry-pi-4"), readings("raspberry-pi-4")
    assert pi.board is not None
    assert (pi.board.family, pi.board.model) == ("raspberry_pi", "Raspberry Pi 4 Model B Rev 1.4")
    assert (pi.processor.architecture, pi.processor.model) == ("aarch64", "Cortex-A72")
    assert cores(pi) == (1, 4, 4, 4)
    assert instructions(pi) == {"neon"}
    assert caches(pi) == [("L1", 32, 4), ("L2", 1024, 1)]
    assert pi.memory.total_bytes == 7_998_764 * KIB
    assert (pi.processor.max_mhz, pi.processor.governor) == (1800, "ondemand")
    assert disks(pi) == [("mmcblk0", "sd_card", ("/", "/boot"))]
    assert temperatures(now) == {"CPU": (48.686, 110)}
    # It had a weak supply some time ago, and has a good one now.
    assert now.is_throttled is False
    assert [text for text in now.throttling if "voltage" in text and "since the machine started" in text]


def test_raspberry_pi_5() -> None:
    pi, now = machine("raspberry-pi-5"), readings("raspberry-pi-5")
    assert pi.board is not None
    assert (pi.board.family, pi.board.model) == ("raspberry_pi", "Raspberry Pi 5 Model B Rev 1.0")
    assert pi.processor.model == "Cortex-A76"
    assert cores(pi) == (1, 4, 4, 4)
    assert instructions(pi) == {"neon", "fp16", "dotprod"}
    assert caches(pi) == [("L1", 64, 4), ("L2", 512, 4), ("L3", 2048, 1)]
    assert disks(pi) == [("nvme0n1", "nvme", ("/", "/boot/firmware"))]
    assert now.is_throttled is True
    assert any("voltage" in text for text in now.throttling)


def test_jetson_agx_orin() -> None:
    jetson, now = machine("jetson-agx-orin"), readings("jetson-agx-orin")
    assert jetson.board is not None
    assert jetson.board.family == "jetson"
    assert jetson.processor.model == "Cortex-A78AE"
    assert cores(jetson) == (None, 12, 12, 12)
    assert instructions(jetson) == {"neon", "fp16", "dotprod"}
    assert caches(jetson) == [("L1", 64, 12), ("L2", 256, 12), ("L3", 2048, 3)]
    assert accelerators(jetson) == [("platform:17000000.gpu", "nvidia", "gk20a", "sm_87", True)]
    assert jetson.accelerators[0].memory_bytes is None
    assert disks(jetson) == [("mmcblk0", "emmc", ("/",))]
    assert now.accelerators[0].busy_ratio == 0.153
    assert temperatures(now)["GPU"] == (43.781, 104.5)
    assert now.system_watts == pytest.approx(8.748, abs=0.001)


def test_two_xeons_with_amx() -> None:
    xeon = machine("xeon-sapphire-rapids")
    assert xeon.processor.model == "Intel(R) Xeon(R) Platinum 8480+"
    assert cores(xeon) == (2, 224, 112, 112)
    assert instructions(xeon) == ZEN4 | {"avx_vnni", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"}
    assert caches(xeon) == [("L1", 48, 112), ("L2", 2048, 112), ("L3", 107_520, 2)]
    assert [(node.index, len(node.cpus), node.cpus[:1], node.cpus[-1]) for node in xeon.numa_nodes] == [
        (0, 112, (0,), 167),
        (1, 112, (56,), 223),
    ]
    assert sum(node.memory_bytes or 0 for node in xeon.numa_nodes) == xeon.memory.total_bytes
    assert xeon.accelerators == ()  # the server's own graphics only shows a picture
    assert set(temperatures(readings("xeon-sapphire-rapids"))) == {"CPU", "CPU #2"}


def test_alder_lake_desktop() -> None:
    desktop = machine("alder-lake-desktop")
    assert cores(desktop) == (1, 20, 12, 8)
    assert kinds_of_core(desktop) == (8, 4)
    assert instructions(desktop) == HYBRID
    assert caches(desktop) == [("L1", 48, 8), ("L1", 32, 4), ("L2", 2048, 1), ("L2", 1280, 8), ("L3", 25_600, 1)]
    assert desktop.processor.max_mhz == 5100
    assert accelerators(desktop) == [("pci:0000:00:02.0", "intel", "i915", None, True)]
    assert disks(desktop) == [("nvme0n1", "nvme", ("/",)), ("sda", "hdd", ())]


def test_zen_4_desktop() -> None:
    desktop = machine("zen4-desktop")
    assert cores(desktop) == (1, 32, 16, 16)
    assert kinds_of_core(desktop) == (None, None)
    assert instructions(desktop) == ZEN4
    assert caches(desktop) == [("L1", 32, 16), ("L2", 1024, 16), ("L3", 32_768, 2)]
    assert accelerators(desktop) == [("pci:0000:0f:00.0", "amd", "amdgpu", "gfx1036", True)]
    assert desktop.accelerators[0].memory_bytes == 512 * MIB
    assert temperatures(readings("zen4-desktop"))["CPU Tctl"] == (46.125, None)


def test_zen_5_desktop() -> None:
    desktop = machine("zen5-desktop")
    assert cores(desktop) == (1, 32, 16, 16)
    assert instructions(desktop) == ZEN4 | {"avx_vnni"}
    assert caches(desktop) == [("L1", 48, 16), ("L2", 1024, 16), ("L3", 32_768, 2)]
    assert desktop.accelerators == ()


def test_radeon_workstation() -> None:
    workstation = machine("radeon-workstation")
    assert accelerators(workstation) == [
        ("pci:0000:03:00.0", "amd", "amdgpu", "gfx1100", False),
        ("pci:0000:0f:00.0", "amd", "amdgpu", "gfx1036", True),
    ]
    assert workstation.accelerators[0].memory_bytes == 24_560 * MIB
    assert readings("radeon-workstation").accelerators[0] == AcceleratorReadings(
        id="pci:0000:03:00.0", busy_ratio=0.07, memory_used_bytes=1_288_490_188, celsius=44, watts=38
    )


def test_rtx_workstation() -> None:
    workstation = machine("rtx-workstation")
    assert accelerators(workstation) == [
        ("pci:0000:05:00.0", "nvidia", "nvidia", "sm_86", False),
        ("pci:0000:0a:00.0", "nvidia", "nvidia", "sm_86", False),
    ]
    first = workstation.accelerators[0]
    assert (first.name, first.driver_version, first.memory_bytes) == ("NVIDIA GeForce RTX 3090", "550.120", 24 * GIB)
    assert readings("rtx-workstation").accelerators[0] == AcceleratorReadings(
        id="pci:0000:05:00.0", busy_ratio=0.03, memory_used_bytes=431 * MIB, celsius=41, watts=28.14
    )


def test_core_ultra_laptop() -> None:
    laptop, now = machine("core-ultra-laptop"), readings("core-ultra-laptop")
    # So few performance cores that the others are worth waiting for, but for the two slowest.
    assert cores(laptop) == (1, 14, 12, 10)
    assert kinds_of_core(laptop) == (2, 10)
    assert instructions(laptop) == HYBRID
    assert [(one.kind, one.driver) for one in laptop.accelerators] == [("gpu", "i915"), ("npu", "intel_vpu")]
    assert (now.power_source, now.battery_ratio) == ("mains", 0.8)


def test_haswell_desktop() -> None:
    desktop = machine("haswell-desktop")
    assert cores(desktop) == (1, 4, 4, 4)
    assert instructions(desktop) == {"sse4_2", "avx", "f16c", "fma", "avx2"}
    assert disks(desktop) == [("sda", "ssd", ("/",))]
    assert any("12 times" in text for text in readings("haswell-desktop").throttling)


def test_sandy_bridge_laptop() -> None:
    laptop, now = machine("sandy-bridge-laptop"), readings("sandy-bridge-laptop")
    assert cores(laptop) == (1, 4, 2, 2)
    assert instructions(laptop) == {"sse4_2", "avx"}
    assert disks(laptop) == [("sda", "hdd", ("/",))]
    assert (now.power_source, now.battery_ratio, now.system_watts) == ("battery", 0.63, 14.23)


def test_westmere_server() -> None:
    server = machine("westmere-server")
    assert cores(server) == (2, 16, 8, 8)
    assert instructions(server) == {"sse4_2"}
    assert caches(server) == [("L1", 32, 8), ("L2", 256, 8), ("L3", 12_288, 2)]
    assert [node.cpus for node in server.numa_nodes] == [tuple(range(0, 16, 2)), tuple(range(1, 16, 2))]
    # This kernel does not say what is available: what is free, and the file cache.
    assert readings("westmere-server").memory_available_bytes == (8_744_856 + 204_800 + 11_534_336) * KIB


def test_container_with_limits_of_version_2() -> None:
    container = machine("container-v2")
    assert container.system.container == "docker"
    # Six of eight threads are allowed, on four cores; the parent's quota pays for 2.5 of them.
    assert container.processor.quota_cores == 2.5
    assert cores(container) == (1, 8, 4, 2)
    assert (container.memory.total_bytes, container.memory.physical_bytes) == (4 * GIB, 32 * GIB)
    # Of 4 GiB, 3 GiB are used; 1 GiB of them is file cache.
    assert readings("container-v2").memory_available_bytes == 2 * GIB


def test_container_with_limits_of_version_1() -> None:
    container = probe(tree_of("container-v1"))
    assert (container.processor.quota_cores, container.processor.usable_cores) == (1.5, 1)
    assert container.memory.limit_bytes == 2 * GIB
    assert readings("container-v1").memory_available_bytes == GIB
    assert any("/proc/cpuinfo" in note for note in container.notes)


def test_arm_board_that_does_not_name_its_cores() -> None:
    board = probe(tree_of("arm-board"))
    assert cores(board) == (None, 4, None, 4)
    assert instructions(board) == {"neon", "fp16", "dotprod"}
    assert any("share a core" in note for note in board.notes)


def test_the_virtual_machine_that_was_captured() -> None:
    captured = machine("epyc-vm")
    assert (captured.processor.vendor, captured.processor.model) == ("AMD", "AMD EPYC")
    assert cores(captured) == (1, 2, 2, 2)
    assert instructions(captured) == ZEN4 | {"avx_vnni"}
    assert (captured.system.virtual_machine, captured.system.container) == ("kvm", "docker")
    assert captured.memory.total_bytes == 24_684_100 * KIB
    assert disks(captured) == [("vda", "virtual", ("/",))]


@pytest.mark.parametrize("name", NAMES)
def test_no_machine_has_an_instruction_that_its_architecture_cannot_have(name: str) -> None:
    processor = probe(tree_of(name)).processor
    is_arm = processor.architecture == "aarch64"
    assert all((Instruction.NEON in processor.instructions) == is_arm for _ in processor.instructions)
    assert 1 <= processor.usable_cores <= processor.logical_cores
