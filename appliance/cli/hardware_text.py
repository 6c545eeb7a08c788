"""A machine as plain text: groups of named values, what is not known left out, nothing wider than the terminal."""

import re
import shutil
import textwrap
from collections.abc import Iterator

from appliance.core.hardware import (
    Accelerator,
    AcceleratorReadings,
    Cache,
    Disk,
    Hardware,
    HardwareReadings,
    HardwareSnapshot,
    Instruction,
    Memory,
    Processor,
)
from appliance.core.units import format_bytes

from .output import printable

Values = Iterator[tuple[str, str]]

# What goes without saying where the other one is there.
_IMPLIED = {
    Instruction.SSE4_2: Instruction.AVX,
    Instruction.AVX: Instruction.AVX2,
    Instruction.F16C: Instruction.AVX2,
    Instruction.FMA: Instruction.AVX2,
}
# What a model is several times slower without.
_MISSED = {"x86_64": (Instruction.AVX2, Instruction.FMA), "aarch64": (Instruction.DOTPROD,)}
_DISK_KINDS = {
    "nvme": "NVMe",
    "ssd": "SSD",
    "hdd": "hard disk",
    "sd_card": "SD card",
    "emmc": "eMMC",
    "usb": "USB",
    "virtual": "virtual disk",
    "unknown": "disk",
}
_VENDORS = {"nvidia": "NVIDIA", "amd": "AMD", "other": "unknown"}
_LABEL_WIDTH = 16
_HARD_SPACE = "\N{NO-BREAK SPACE}"
_SEPARATOR = re.compile(r"(?<=[,;]) ")
_SHORT_ITEM = 28


def summary(hardware: Hardware) -> list[str]:
    """Return the lines of the summary."""
    snapshot, readings = hardware.snapshot, hardware.readings
    groups = [
        ("Processor", _processor(snapshot.processor)),
        ("Memory", _memory(hardware)),
        ("Accelerators", _accelerators(snapshot, readings)),
        ("Storage", _storage(snapshot.disks)),
        ("System", _system(snapshot)),
        ("Now", _now(readings)),
        ("Notes", (("", note) for note in dict.fromkeys((*snapshot.notes, *readings.notes)))),
    ]
    lines: list[str] = []
    for title, values in groups:
        body = [line for label, text in values for line in _lines(label, text)]
        lines += [*([""] if lines and body else []), *([title] if body else []), *body]
    return lines


def _lines(label: str, text: str) -> list[str]:
    width = max(60, min(110, shutil.get_terminal_size((100, 24)).columns))
    first = f"  {label.ljust(_LABEL_WIDTH)}" if label else "  "
    later = " " * len(first)
    lines = textwrap.wrap(
        _together(printable(text)), width, initial_indent=first, subsequent_indent=later, break_on_hyphens=False
    )
    return [line.replace(_HARD_SPACE, " ") for line in lines] or [first.rstrip()]


def _together(text: str) -> str:
    """Return the text with short items of its lists kept in one line: `L3 12 MiB`."""
    items = _SEPARATOR.split(text)
    return " ".join(item.replace(" ", _HARD_SPACE) if len(item) <= _SHORT_ITEM else item for item in items)


def _processor(processor: Processor) -> Values:
    sockets = f"{processor.num_sockets} × " if (processor.num_sockets or 1) > 1 else ""
    yield "model", f"{sockets}{processor.model or 'unknown'} ({processor.architecture})"
    yield "cores", _cores(processor)
    yield "instructions", _instructions(processor)
    clock = [f"up to {processor.max_mhz / 1000:.2f} GHz"] if processor.max_mhz else []
    clock += [f"governor {processor.governor}"] if processor.governor else []
    if clock:
        yield "clock", ", ".join(clock)
    if processor.caches:
        yield "caches", ", ".join(_cache(cache) for cache in processor.caches if cache.kind != "instruction")


def _cores(processor: Processor) -> str:
    number = "unknown" if processor.physical_cores is None else str(processor.physical_cores)
    if processor.performance_cores is not None:
        number += f" ({processor.performance_cores} performance, {processor.efficiency_cores or 0} efficiency)"
    quota = "" if processor.quota_cores is None else f", of which a quota pays for {processor.quota_cores:g}"
    threads = f", {processor.logical_cores} threads" if processor.logical_cores != processor.physical_cores else ""
    return f"{number}{threads}{quota}; a model runs on {processor.usable_cores}"


def _instructions(processor: Processor) -> str:
    have = processor.instructions
    names = [one.label for one in Instruction if one in have and _IMPLIED.get(one) not in have]
    missed = [one.label for one in _MISSED.get(processor.architecture, ()) if one not in have]
    return (" ".join(names) or "none that help") + (f"; without {' '.join(missed)}" if missed else "")


def _cache(cache: Cache) -> str:
    times = f"{cache.num_instances} × " if cache.num_instances > 1 else ""
    return f"L{cache.level} {times}{format_bytes(cache.size_bytes).replace('.0 ', ' ')}"


def _memory(hardware: Hardware) -> Values:
    memory = hardware.snapshot.memory
    yield "size", _size(memory)
    yield "available", format_bytes(hardware.readings.memory_available_bytes)
    if memory.swap_bytes:
        used = hardware.readings.swap_used_bytes
        yield "swap", format_bytes(memory.swap_bytes) + ("" if used is None else f", {format_bytes(used)} used")
    for node in hardware.snapshot.numa_nodes if len(hardware.snapshot.numa_nodes) > 1 else ():
        size = "" if node.memory_bytes is None else f"{format_bytes(node.memory_bytes)}, "
        yield f"NUMA node {node.index}", f"{size}{len(node.cpus)} threads"
    if hardware.bandwidth is not None:
        speed = hardware.bandwidth.read_bytes_per_s / 1e9
        yield "bandwidth", f"{speed:.1f} GB/s read by {hardware.bandwidth.num_threads} threads"


def _size(memory: Memory) -> str:
    total = format_bytes(memory.total_bytes)
    if memory.limit_bytes is None or memory.limit_bytes > memory.total_bytes:
        return total
    physical = "" if memory.physical_bytes is None else f"; the machine has {format_bytes(memory.physical_bytes)}"
    return f"{total}, the limit of this process's control group{physical}"


def _accelerators(snapshot: HardwareSnapshot, readings: HardwareReadings) -> Values:
    if not snapshot.accelerators:
        yield "", "none was found"
    now = {one.id: one for one in readings.accelerators}
    for one in snapshot.accelerators:
        yield one.kind.upper(), _accelerator(one)
        live = _accelerator_now(now[one.id]) if one.id in now else ""
        if live:
            yield "", live


def _accelerator(one: Accelerator) -> str:
    vendor = _VENDORS.get(one.vendor, one.vendor.capitalize())
    name = one.name or f"({one.id})"
    parts = [name if name.upper().startswith(vendor.upper()) else f"{vendor} {name}"]
    if one.memory_bytes is not None:
        parts.append(format_bytes(one.memory_bytes))
    if one.is_integrated:
        parts.append("shares main memory")
    parts += [one.architecture] if one.architecture else []
    driver = f"driver {one.driver} {one.driver_version or ''}".rstrip() if one.driver else "no driver, so not usable"
    return ", ".join([*parts, driver])


def _accelerator_now(now: AcceleratorReadings) -> str:
    parts = [] if now.busy_ratio is None else [f"{now.busy_ratio:.0%} busy"]
    parts += [] if now.memory_used_bytes is None else [f"{format_bytes(now.memory_used_bytes)} used"]
    parts += [] if now.celsius is None else [f"{now.celsius:.0f} °C"]
    parts += [] if now.watts is None else [f"{now.watts:.0f} W"]
    return f"{' ' * _LABEL_WIDTH}{', '.join(parts)}" if parts else ""


def _storage(disks: tuple[Disk, ...]) -> Values:
    for disk in disks:
        size = [] if disk.size_bytes is None else [format_bytes(disk.size_bytes)]
        model = [] if disk.model is None else [disk.model]
        mounts = [f"at {' '.join(disk.mounts[:4])}{' …' if len(disk.mounts) > 4 else ''}"] if disk.mounts else []
        yield disk.name, ", ".join([_DISK_KINDS[disk.kind], *size, *model, *mounts])


def _system(snapshot: HardwareSnapshot) -> Values:
    if snapshot.board is not None:
        yield "board", snapshot.board.model
    system = snapshot.system
    known = [text for text in (system.name, system.kernel and f"kernel {system.kernel}") if text]
    if known:
        yield "system", ", ".join(known)
    if system.container is not None:
        yield "container", system.container
    if system.virtual_machine is not None:
        yield "virtual machine", system.virtual_machine


def _now(now: HardwareReadings) -> Values:
    load = [] if now.cpu_busy_ratio is None else [f"{now.cpu_busy_ratio:.0%} busy"]
    load += [] if now.load_average_1_min is None else [f"load {now.load_average_1_min:.2f} in the last minute"]
    load += [] if now.cpu_mhz is None else [f"clock {now.cpu_mhz / 1000:.2f} GHz"]
    if load:
        yield "processor", ", ".join(load)
    if now.temperatures:
        yield "temperature", ", ".join(f"{one.sensor} {one.celsius:.0f} °C" for one in now.temperatures)
    power = [] if now.cpu_watts is None else [f"processor {now.cpu_watts:.1f} W"]
    power += [] if now.system_watts is None else [f"machine {now.system_watts:.1f} W"]
    power += [] if now.power_source is None else [f"on {now.power_source}"]
    power += [] if now.battery_ratio is None else [f"battery at {now.battery_ratio:.0%}"]
    if power:
        yield "power", ", ".join(power)
    if now.is_throttled or now.throttling:
        yield (
            "throttled",
            f"{'yes' if now.is_throttled else 'not now'}: {'; '.join(now.throttling) or 'no reason told'}",
        )
