"""A machine as plain text: groups of named values, what is not known left out, nothing wider than the terminal."""

import re
import shutil
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
from appliance.words import tr
from appliance.words.width import fill, ljust, width_of

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
        (tr("Processor"), _processor(snapshot.processor)),
        (tr("Memory"), _memory(hardware)),
        (tr("Accelerators"), _accelerators(snapshot, readings)),
        (tr("Storage"), _storage(snapshot.disks)),
        (tr("System"), _system(snapshot)),
        (tr("Now"), _now(readings)),
        (tr("Notes"), (("", note) for note in dict.fromkeys((*snapshot.notes, *readings.notes)))),
    ]
    lines: list[str] = []
    for title, values in groups:
        body = [line for label, text in values for line in _lines(label, text)]
        lines += [*([""] if lines and body else []), *([title] if body else []), *body]
    return lines


def _lines(label: str, text: str) -> list[str]:
    width = max(60, min(110, shutil.get_terminal_size((100, 24)).columns))
    first = f"  {ljust(tr(label), _LABEL_WIDTH)}" if label else "  "
    later = " " * width_of(first)
    whole = _together(printable(text))
    filled = fill(whole, width, initial_indent=first, subsequent_indent=later, keeps_words=True) or first.rstrip()
    return filled.replace(_HARD_SPACE, " ").splitlines()


def _together(text: str) -> str:
    """Return the text with short items of its lists kept in one line: `L3 12 MiB`."""
    items = _SEPARATOR.split(text)
    return " ".join(item.replace(" ", _HARD_SPACE) if len(item) <= _SHORT_ITEM else item for item in items)


def _processor(processor: Processor) -> Values:
    sockets = f"{processor.num_sockets} × " if (processor.num_sockets or 1) > 1 else ""
    yield "model", f"{sockets}{processor.model or tr('unknown')} ({processor.architecture})"
    yield "cores", _cores(processor)
    yield "instructions", _instructions(processor)
    clock = [tr("up to {ghz:.2f} GHz", ghz=processor.max_mhz / 1000)] if processor.max_mhz else []
    clock += [tr("governor {name}", name=processor.governor)] if processor.governor else []
    if clock:
        yield "clock", ", ".join(clock)
    if processor.caches:
        yield "caches", ", ".join(_cache(cache) for cache in processor.caches if cache.kind != "instruction")


def _cores(processor: Processor) -> str:
    cores = tr("unknown") if processor.physical_cores is None else str(processor.physical_cores)
    if processor.performance_cores is not None:
        fast, thrifty = processor.performance_cores, processor.efficiency_cores or 0
        cores += tr(" ({fast} performance, {thrifty} efficiency)", fast=fast, thrifty=thrifty)
    if processor.logical_cores != processor.physical_cores:
        cores += tr(", {number} threads", number=processor.logical_cores)
    if processor.quota_cores is not None:
        cores += tr(", of which a quota pays for {number:g}", number=processor.quota_cores)
    return tr("{cores}; a model runs on {number}", cores=cores, number=processor.usable_cores)


def _instructions(processor: Processor) -> str:
    have = processor.instructions
    names = [one.label for one in Instruction if one in have and _IMPLIED.get(one) not in have]
    missed = [one.label for one in _MISSED.get(processor.architecture, ()) if one not in have]
    without = tr("; without {names}", names=" ".join(missed)) if missed else ""
    return (" ".join(names) or tr("none that help")) + without


def _cache(cache: Cache) -> str:
    times = f"{cache.num_instances} × " if cache.num_instances > 1 else ""
    return f"L{cache.level} {times}{format_bytes(cache.size_bytes).replace('.0 ', ' ')}"


def _memory(hardware: Hardware) -> Values:
    memory = hardware.snapshot.memory
    yield "size", _size(memory)
    yield "available", format_bytes(hardware.readings.memory_available_bytes)
    if memory.swap_bytes:
        used_bytes = hardware.readings.swap_used_bytes
        used = "" if used_bytes is None else tr(", {size} used", size=format_bytes(used_bytes))
        yield "swap", format_bytes(memory.swap_bytes) + used
    for node in hardware.snapshot.numa_nodes if len(hardware.snapshot.numa_nodes) > 1 else ():
        size = "" if node.memory_bytes is None else f"{format_bytes(node.memory_bytes)}, "
        yield tr("NUMA node {number}", number=node.index), size + tr("{number} threads", number=len(node.cpus))
    if hardware.bandwidth is not None:
        speed, threads = hardware.bandwidth.read_bytes_per_s / 1e9, hardware.bandwidth.num_threads
        yield "bandwidth", tr("{speed:.1f} GB/s read by {threads} threads", speed=speed, threads=threads)


def _size(memory: Memory) -> str:
    total = format_bytes(memory.total_bytes)
    if memory.limit_bytes is None or memory.limit_bytes > memory.total_bytes:
        return total
    limit = tr("{size}, the limit of this process's control group", size=total)
    if memory.physical_bytes is None:
        return limit
    return limit + tr("; the machine has {size}", size=format_bytes(memory.physical_bytes))


def _accelerators(snapshot: HardwareSnapshot, readings: HardwareReadings) -> Values:
    if not snapshot.accelerators:
        yield "", tr("none was found")
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
        parts.append(tr("shares main memory"))
    parts += [one.architecture] if one.architecture else []
    driver = f"{one.driver} {one.driver_version or ''}".rstrip() if one.driver else None
    return ", ".join([*parts, tr("driver {name}", name=driver) if driver else tr("no driver, so not usable")])


def _accelerator_now(now: AcceleratorReadings) -> str:
    parts = [] if now.busy_ratio is None else [tr("{ratio:.0%} busy", ratio=now.busy_ratio)]
    parts += [] if now.memory_used_bytes is None else [tr("{size} used", size=format_bytes(now.memory_used_bytes))]
    parts += [] if now.celsius is None else [f"{now.celsius:.0f} °C"]
    parts += [] if now.watts is None else [f"{now.watts:.0f} W"]
    return f"{' ' * _LABEL_WIDTH}{', '.join(parts)}" if parts else ""


def _storage(disks: tuple[Disk, ...]) -> Values:
    for disk in disks:
        size = [] if disk.size_bytes is None else [format_bytes(disk.size_bytes)]
        model = [] if disk.model is None else [disk.model]
        places = " ".join(disk.mounts[:4]) + (" …" if len(disk.mounts) > 4 else "")
        mounts = [tr("at {places}", places=places)] if places else []
        yield disk.name, ", ".join([tr(_DISK_KINDS[disk.kind]), *size, *model, *mounts])


def _system(snapshot: HardwareSnapshot) -> Values:
    if snapshot.board is not None:
        yield "board", snapshot.board.model
    system = snapshot.system
    known = [text for text in (system.name, system.kernel and tr("kernel {name}", name=system.kernel)) if text]
    if known:
        yield "system", ", ".join(known)
    if system.container is not None:
        yield "container", system.container
    if system.virtual_machine is not None:
        yield "virtual machine", system.virtual_machine


def _now(now: HardwareReadings) -> Values:
    load = [] if now.cpu_busy_ratio is None else [tr("{ratio:.0%} busy", ratio=now.cpu_busy_ratio)]
    if now.load_average_1_min is not None:
        load.append(tr("load {load:.2f} in the last minute", load=now.load_average_1_min))
    load += [] if now.cpu_mhz is None else [tr("clock {ghz:.2f} GHz", ghz=now.cpu_mhz / 1000)]
    if load:
        yield "processor", ", ".join(load)
    if now.temperatures:
        yield "temperature", ", ".join(f"{one.sensor} {one.celsius:.0f} °C" for one in now.temperatures)
    power = [] if now.cpu_watts is None else [tr("processor {watts:.1f} W", watts=now.cpu_watts)]
    power += [] if now.system_watts is None else [tr("machine {watts:.1f} W", watts=now.system_watts)]
    power += [] if now.power_source is None else [tr("on {source}", source=now.power_source)]
    power += [] if now.battery_ratio is None else [tr("battery at {ratio:.0%}", ratio=now.battery_ratio)]
    if power:
        yield "power", ", ".join(power)
    if now.is_throttled or now.throttling:
        is_now = tr("yes") if now.is_throttled else tr("not now")
        yield "throttled", f"{is_now}: {'; '.join(now.throttling) or tr('no reason told')}"
