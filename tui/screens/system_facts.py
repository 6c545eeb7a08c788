"""What the machine is and does, and which versions run on it, as facts to show. Pure; knows no widget's state."""

from collections.abc import Iterator

from appliance.core.admin import Status
from appliance.core.hardware import Accelerator, AcceleratorReadings, Hardware, HardwareReadings, Memory, Processor
from appliance.core.units import format_bytes
from appliance.words import tr
from tui.widgets.facts import DOT, Fact, Section

from .jobs_rows import brief


def machine_sections(hardware: Hardware) -> list[Section]:
    """Return what the machine is, then what it does now."""
    snapshot, readings = hardware.snapshot, hardware.readings
    notes = dict.fromkeys((*snapshot.notes, *readings.notes))
    groups = (
        (tr("Processor"), _processor(snapshot.processor)),
        (tr("Memory"), _memory(hardware)),
        (tr("Accelerators"), _accelerators(hardware)),
        (tr("Storage"), _storage(hardware)),
        (tr("System"), _system(hardware)),
        (tr("Now"), _now(readings)),
        (tr("Notes"), (Fact(DOT, note) for note in notes)),
    )
    return [Section(title, tuple(facts)) for title, facts in groups]


def version_sections(status: Status) -> list[Section]:
    """Return what this box is called, how long it runs, and the versions of all that runs models."""
    missing = tr("not installed")
    box = (
        Fact(tr("address"), status.url),
        Fact(tr("folder"), status.home),
        Fact(tr("state"), _state(status)),
        Fact(tr("running for"), brief(status.uptime_s)),
        Fact(tr("default"), status.default_model),
    )
    versions = [Fact("appliance", status.versions.appliance), Fact("Python", status.versions.python)]
    versions += [Fact(name, version or missing) for name, version in status.versions.backends.items()]
    return [Section(tr("This box"), box), Section(tr("Versions"), tuple(versions))]


def _state(status: Status) -> str:
    if status.state == "draining":
        return "◐ " + tr("finishes what runs, then ends")
    return "● " + tr("serving") if status.is_ready else f"▲ {status.not_ready_reason}"


def _processor(processor: Processor) -> Iterator[Fact]:
    yield Fact(tr("model"), f"{processor.model or tr('unknown')} ({processor.architecture})")
    cores = [tr("{number} cores", number=processor.physical_cores)] if processor.physical_cores else []
    cores.append(tr("{number} threads", number=processor.logical_cores))
    if processor.quota_cores is not None:
        cores.append(tr("a quota of {number}", number=f"{processor.quota_cores:g}"))
    cores.append(tr("a model runs on {number}", number=processor.usable_cores))
    yield Fact(tr("cores"), ", ".join(cores))
    yield Fact(
        tr("instructions"), " ".join(sorted(each.label for each in processor.instructions)) or tr("none that help")
    )
    clock = [tr("up to {speed} GHz", speed=f"{processor.max_mhz / 1000:.2f}")] if processor.max_mhz else []
    clock += [tr("governor {name}", name=processor.governor)] if processor.governor else []
    if clock:
        yield Fact(tr("clock"), ", ".join(clock))
    caches = [
        f"L{each.level} "
        + (f"{each.num_instances} × " if each.num_instances > 1 else "")
        + format_bytes(each.size_bytes)
        for each in processor.caches
        if each.kind != "instruction"
    ]
    if caches:
        yield Fact(tr("caches"), ", ".join(caches))


def _memory(hardware: Hardware) -> Iterator[Fact]:
    memory: Memory = hardware.snapshot.memory
    yield Fact(tr("size"), format_bytes(memory.total_bytes))
    if memory.limit_bytes is not None and memory.limit_bytes <= memory.total_bytes:
        yield Fact(tr("limit"), tr("of the control group that the box runs in"))
    yield Fact(tr("available"), format_bytes(hardware.readings.memory_available_bytes))
    if memory.swap_bytes:
        used = hardware.readings.swap_used_bytes or 0
        sizes = {"size": format_bytes(memory.swap_bytes), "used": format_bytes(used)}
        yield Fact(tr("swap"), tr("{size}, of which {used} are used", **sizes))
    if hardware.bandwidth is not None:
        yield Fact(tr("bandwidth"), f"{hardware.bandwidth.read_bytes_per_s / 1e9:.1f} GB/s")


def _accelerators(hardware: Hardware) -> Iterator[Fact]:
    now = {each.id: each for each in hardware.readings.accelerators}
    for each in hardware.snapshot.accelerators:
        yield Fact(each.kind.upper(), _accelerator(each))
        if each.id in now and (live := _accelerator_now(now[each.id])):
            yield Fact(tr("now"), live)
    if not hardware.snapshot.accelerators:
        yield Fact("", tr("none was found"))


def _accelerator(each: Accelerator) -> str:
    memory = [] if each.memory_bytes is None else [format_bytes(each.memory_bytes)]
    shared = [tr("shares main memory")] if each.is_integrated else []
    version = f" {each.driver_version}" if each.driver_version else ""
    driver = tr("driver {name}", name=each.driver + version) if each.driver else tr("no driver, so not usable")
    return ", ".join([each.name or each.id, *memory, *shared, *filter(None, [each.architecture]), driver])


def _accelerator_now(now: AcceleratorReadings) -> str:
    parts = [] if now.busy_ratio is None else [tr("{ratio} busy", ratio=f"{now.busy_ratio:.0%}")]
    parts += [] if now.memory_used_bytes is None else [tr("{size} used", size=format_bytes(now.memory_used_bytes))]
    parts += [] if now.celsius is None else [f"{now.celsius:.0f} °C"]
    parts += [] if now.watts is None else [f"{now.watts:.0f} W"]
    return ", ".join(parts)


def _storage(hardware: Hardware) -> Iterator[Fact]:
    for disk in hardware.snapshot.disks:
        size = [] if disk.size_bytes is None else [format_bytes(disk.size_bytes)]
        parts = [disk.kind.replace("_", " "), *size, *filter(None, [disk.model]), " ".join(disk.mounts[:3])]
        yield Fact(disk.name, ", ".join(filter(None, parts)))


def _system(hardware: Hardware) -> Iterator[Fact]:
    snapshot = hardware.snapshot
    if snapshot.board is not None:
        yield Fact(tr("board"), snapshot.board.model)
    for label, value in (
        (tr("system"), snapshot.system.name),
        (tr("kernel"), snapshot.system.kernel),
        (tr("container"), snapshot.system.container),
        (tr("virtual"), snapshot.system.virtual_machine),
    ):
        if value is not None:
            yield Fact(label, value)


def _now(now: HardwareReadings) -> Iterator[Fact]:
    busy = [] if now.cpu_busy_ratio is None else [tr("{ratio} busy", ratio=f"{now.cpu_busy_ratio:.0%}")]
    busy += [] if now.cpu_mhz is None else [f"{now.cpu_mhz / 1000:.2f} GHz"]
    if busy:
        yield Fact(tr("processor"), ", ".join(busy))
    if now.temperatures:
        yield Fact(tr("temperature"), ", ".join(f"{each.sensor} {each.celsius:.0f} °C" for each in now.temperatures))
    watts = [f"{value:.1f} W" for value in (now.system_watts, now.cpu_watts) if value is not None][:1]
    battery = [] if now.battery_ratio is None else [tr("battery {ratio}", ratio=f"{now.battery_ratio:.0%}")]
    if watts or battery:
        yield Fact(tr("power"), ", ".join([*watts, *battery]))
    if now.is_throttled or now.throttling:
        yield Fact(tr("throttled"), (("▲ " + ("; ".join(now.throttling) or tr("yes")), "warning"),))
