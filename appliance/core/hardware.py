"""The machine as facts: what the probes saw. What could not be told is None, with its reason among the notes."""

import msgspec


class HardwareSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What this machine is: its processor, its memory, and what could not be read.

    `usable_cores` are the physical cores this process may use, after affinity and cgroup quota; `cpu_features` are
    the kernel's names (`avx512_vnni`, `asimddp`). Memory is in bytes, after cgroup limits.
    """

    architecture: str
    cpu_model: str | None
    cpu_features: frozenset[str]
    logical_cores: int
    physical_cores: int | None
    usable_cores: int
    memory_total_bytes: int
    notes: tuple[str, ...]
