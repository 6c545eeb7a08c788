"""The machine as facts: what the probes saw. What could not be told is None, with its reason among the notes.

`HardwareSnapshot` is what the machine *is*; it does not change while the daemon runs. `HardwareReadings` is what it
*does* at one moment. Sizes are in bytes, temperatures in degrees Celsius.
"""

from enum import StrEnum
from typing import Literal

import msgspec


class Instruction(StrEnum):
    """An instruction set extension that decides how fast a model runs, under one name on every system."""

    SSE4_2 = "sse4_2"
    AVX = "avx"
    F16C = "f16c"
    FMA = "fma"
    AVX2 = "avx2"
    AVX_VNNI = "avx_vnni"
    AVX_VNNI_INT8 = "avx_vnni_int8"
    AVX512 = "avx512"  # F, BW, CD, DQ and VL together: what compilers call x86-64-v4
    AVX512_VBMI = "avx512_vbmi"
    AVX512_VNNI = "avx512_vnni"
    AVX512_BF16 = "avx512_bf16"
    AVX512_FP16 = "avx512_fp16"
    AMX_TILE = "amx_tile"
    AMX_INT8 = "amx_int8"
    AMX_BF16 = "amx_bf16"
    AMX_FP16 = "amx_fp16"
    NEON = "neon"
    FP16 = "fp16"  # half precision arithmetic of ARM
    DOTPROD = "dotprod"
    I8MM = "i8mm"
    BF16 = "bf16"
    SVE = "sve"
    SVE2 = "sve2"
    SME = "sme"

    @property
    def label(self) -> str:
        """Return the name that its maker gives it: `AVX512-VNNI`, `dotprod`."""
        if self in (Instruction.DOTPROD, Instruction.I8MM):
            return self.value
        return "SSE4.2" if self is Instruction.SSE4_2 else self.value.upper().replace("_", "-")


class Cache(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of cache. `size_bytes` is that of one instance; `num_cpus_sharing` are the logical processors on it."""

    level: int
    kind: Literal["data", "instruction", "unified"]
    size_bytes: int
    num_instances: int
    num_cpus_sharing: int | None


class Processor(msgspec.Struct, frozen=True, kw_only=True):
    """The processor.

    `features` are the kernel's own names (`avx512_vnni`, `asimddp`), `instructions` ours, without those that the
    system does not let programs use. `usable_cores` are the physical cores that a step of a model should use, after
    affinity and control groups (`quota_cores`: what those pay for, with fractions), without the slow ones that the fast
    would wait for. Performance and efficiency cores are None where all cores are alike.
    """

    architecture: str
    vendor: str | None
    model: str | None
    features: frozenset[str]
    instructions: frozenset[Instruction]
    num_sockets: int | None
    logical_cores: int
    physical_cores: int | None
    performance_cores: int | None
    efficiency_cores: int | None
    quota_cores: float | None
    usable_cores: int
    max_mhz: float | None
    governor: str | None
    caches: tuple[Cache, ...]


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Main memory. `total_bytes` is what this process could ever have: `physical_bytes`, or a control group's limit."""

    total_bytes: int
    physical_bytes: int | None
    limit_bytes: int | None
    swap_bytes: int | None


class NumaNode(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the memory with the logical processors nearest to it."""

    index: int
    cpus: tuple[int, ...]
    memory_bytes: int | None


class Accelerator(msgspec.Struct, frozen=True, kw_only=True):
    """A GPU or NPU. `driver` None: no driver is bound to it, so nothing can use it.

    `is_integrated` means that it shares main memory; `memory_bytes` is then what is set aside for it, if anything.
    `architecture` is the vendor's word (`sm_89`, `gfx1100`). `id` is stable over restarts (`pci:0000:01:00.0`).
    """

    id: str
    kind: Literal["gpu", "npu"]
    vendor: Literal["nvidia", "amd", "intel", "qualcomm", "rockchip", "arm", "hailo", "other"]
    name: str | None
    driver: str | None
    driver_version: str | None
    architecture: str | None
    memory_bytes: int | None
    is_integrated: bool | None


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """The mainboard as device tree or firmware name it."""

    family: Literal["raspberry_pi", "jetson", "other"]
    model: str


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """A block device, and the folders that are mounted from it or from its parts."""

    name: str
    kind: Literal["nvme", "ssd", "hdd", "sd_card", "emmc", "usb", "virtual", "unknown"]
    model: str | None
    size_bytes: int | None
    mounts: tuple[str, ...]


class System(msgspec.Struct, frozen=True, kw_only=True):
    """The operating system, and what it runs inside of: None for `container` and `virtual_machine` means neither."""

    name: str | None
    kernel: str | None
    container: str | None
    virtual_machine: str | None


class HardwareSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What this machine is. `notes` say what could not be read and why."""

    processor: Processor
    memory: Memory
    numa_nodes: tuple[NumaNode, ...] = ()
    accelerators: tuple[Accelerator, ...] = ()
    board: Board | None = None
    disks: tuple[Disk, ...] = ()
    system: System
    notes: tuple[str, ...] = ()


class Temperature(msgspec.Struct, frozen=True, kw_only=True):
    """One sensor. `limit_celsius` is where the hardware says it becomes critical."""

    sensor: str
    celsius: float
    limit_celsius: float | None


class AcceleratorReadings(msgspec.Struct, frozen=True, kw_only=True):
    """What an accelerator does now."""

    id: str
    busy_ratio: float | None
    memory_used_bytes: int | None
    celsius: float | None
    watts: float | None


class HardwareReadings(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine does now.

    `is_throttled` says whether heat or a weak supply holds the clock down at this moment, `throttling` why (also what
    happened since the machine started, said so). `cpu_watts` is the mean since the reading before, so the first has
    none.
    """

    cpu_busy_ratio: float | None
    load_average_1_min: float | None
    cpu_mhz: float | None
    memory_available_bytes: int
    swap_used_bytes: int | None
    temperatures: tuple[Temperature, ...]
    is_throttled: bool | None
    throttling: tuple[str, ...]
    cpu_watts: float | None
    system_watts: float | None
    power_source: Literal["mains", "battery"] | None
    battery_ratio: float | None
    accelerators: tuple[AcceleratorReadings, ...]
    notes: tuple[str, ...]


class Bandwidth(msgspec.Struct, frozen=True, kw_only=True):
    """Main memory read by `num_threads` at once: the ceiling of how fast a model can generate."""

    read_bytes_per_s: float
    num_threads: int


class Hardware(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `GET /admin/v1/hardware`. `bandwidth` is measured on demand only."""

    snapshot: HardwareSnapshot
    readings: HardwareReadings
    bandwidth: Bandwidth | None = None
