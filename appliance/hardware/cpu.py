"""The processor from the kernel's text: model, features and the physical cores behind the logical ones."""

import msgspec


class Processor(msgspec.Struct, frozen=True, kw_only=True):
    """What `/proc/cpuinfo` says. `core_of_cpu` maps a logical processor to (package, core), empty where not told."""

    model: str | None
    features: frozenset[str]
    logical_cpus: frozenset[int]
    core_of_cpu: dict[int, tuple[int, int]]


def parse_cpuinfo(text: str) -> Processor:
    """Return the processor that the text of `/proc/cpuinfo` describes, of x86 or ARM."""
    blocks = [_fields(block) for block in text.split("\n\n")]
    cpus = [block for block in blocks if block.get("processor", "").isdigit()]
    cores = {
        int(cpu["processor"]): (int(cpu["physical id"]), int(cpu["core id"]))
        for cpu in cpus
        if "physical id" in cpu and "core id" in cpu
    }
    every = [*cpus, *blocks]
    return Processor(
        model=next((block["model name"] for block in every if "model name" in block), None),
        features=frozenset(next((b[key].split() for b in cpus for key in ("flags", "Features") if key in b), [])),
        logical_cpus=frozenset(int(cpu["processor"]) for cpu in cpus),
        core_of_cpu=cores if len(cores) == len(cpus) else {},
    )


def parse_allowed_cpus(status_text: str) -> frozenset[int]:
    """Return the processors that the text of `/proc/self/status` allows; empty, if it names none."""
    listed = _fields(status_text).get("Cpus_allowed_list", "")
    cpus: set[int] = set()
    for part in filter(None, listed.split(",")):
        first, _, last = part.partition("-")
        cpus.update(range(int(first), int(last or first) + 1))
    return frozenset(cpus)


def usable_cores(processor: Processor, allowed_cpus: frozenset[int], quota_cores: float | None) -> int:
    """Return the physical cores among the allowed processors, at most as many whole ones as the quota pays for."""
    cpus = processor.logical_cpus & allowed_cpus or processor.logical_cpus or allowed_cpus
    num_cores = len({processor.core_of_cpu.get(cpu, cpu) for cpu in cpus})
    return max(1, num_cores if quota_cores is None else min(num_cores, int(quota_cores)))


def _fields(block: str) -> dict[str, str]:
    lines = (line.partition(":") for line in block.splitlines())
    return {key.strip(): value.strip() for key, colon, value in lines if colon}
