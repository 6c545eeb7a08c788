"""What `/proc/cpuinfo` says of the processor, of x86, ARM and others. Pure: text in, facts out."""

import re
from collections.abc import Iterable

import msgspec

from appliance.hardware.arm_cores import core_name, implementer_name
from appliance.hardware.files import MAX_CPUS, parse_int, printable

_VENDORS = {
    "GenuineIntel": "Intel",
    "AuthenticAMD": "AMD",
    "HygonGenuine": "Hygon",
    "CentaurHauls": "Zhaoxin",
    "Shanghai": "Zhaoxin",
}
_MODEL_KEYS = ("model name", "Model Name", "cpu model", "uarch", "cpu")


class CpuInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The processor as the kernel's text has it. `core_of_cpu` is empty where it does not name every one's core."""

    architecture: str | None
    vendor: str | None
    model: str | None
    board: str | None
    features: frozenset[str]
    cpus: frozenset[int]
    core_of_cpu: dict[int, tuple[int, int]]
    num_sockets: int | None


def parse_cpuinfo(text: str) -> CpuInfo:
    """Return what the text of `/proc/cpuinfo` says. What it does not say is None or empty."""
    blocks = [_fields(block) for block in re.split(r"\n[ \t]*\n", text)]
    numbered = ((parse_int(block.get("processor", "")), block) for block in blocks)
    cpus = {cpu: block for cpu, block in numbered if cpu is not None and 0 <= cpu < MAX_CPUS}
    cores = {cpu: core for cpu, block in cpus.items() if (core := _core(block)) is not None}
    features = _features(blocks)
    return CpuInfo(
        architecture=_architecture(blocks, features),
        vendor=_vendor(blocks),
        model=_model(blocks),
        board=_first(blocks, "Model"),
        features=features,
        cpus=frozenset(cpus),
        core_of_cpu=cores if len(cores) == len(cpus) else {},
        num_sockets=len({socket for socket, _ in cores.values()}) if cores and len(cores) == len(cpus) else None,
    )


def _fields(block: str) -> dict[str, str]:
    lines = (line.partition(":") for line in block.splitlines())
    return {key.strip(): value.strip() for key, colon, value in lines if colon}


def _first(blocks: Iterable[dict[str, str]], *keys: str) -> str | None:
    values = (printable(block[key]) for key in keys for block in blocks if key in block)
    return next((value for value in values if value), None)


def _core(block: dict[str, str]) -> tuple[int, int] | None:
    socket, core = parse_int(block.get("physical id", "")), parse_int(block.get("core id", ""))
    return None if socket is None or core is None else (socket, core)


def _features(blocks: Iterable[dict[str, str]]) -> frozenset[str]:
    """Return the features that every processor has: a thread may run on any of them."""
    texts = {block[key] for block in blocks for key in ("flags", "Features") if key in block}
    sets = [frozenset(word for word in text.split() if printable(word) == word) for text in texts]
    return frozenset.intersection(*sets) if sets else frozenset()


def _architecture(blocks: list[dict[str, str]], features: frozenset[str]) -> str | None:
    if _first(blocks, "flags") is not None:
        return "x86_64" if "lm" in features else "i686"
    if _first(blocks, "CPU implementer") is not None:
        # A 32-bit kernel on a 64-bit core calls the same unit `neon`.
        return "aarch64" if "asimd" in features else "armv7l"
    risc_v = re.match(r"rv(32|64)", _first(blocks, "isa") or "")
    return f"riscv{risc_v[1]}" if risc_v else None


def _vendor(blocks: list[dict[str, str]]) -> str | None:
    implementer = _first(blocks, "CPU implementer")
    if implementer is not None:
        return implementer_name(implementer)
    vendor = _first(blocks, "vendor_id")
    return None if vendor is None else _VENDORS.get(vendor, vendor)


def _model(blocks: list[dict[str, str]]) -> str | None:
    """Return the names of the ARM cores, the fast ones (which come last) first, or the name that the kernel gives."""
    ids = dict.fromkeys((block.get("CPU implementer", ""), block.get("CPU part", "")) for block in reversed(blocks))
    names = [name for implementer, part in ids if (name := core_name(implementer, part)) is not None]
    return " + ".join(names) or _first(blocks, *_MODEL_KEYS)
