"""Facts of machines made by hand: `healthy()` has nothing wrong with it, and each test breaks one thing."""

from typing import Any

import msgspec

from appliance.backends.description import EngineInstructions
from appliance.core.doctor import Finding
from appliance.core.hardware import Accelerator, HardwareReadings, Instruction
from appliance.core.plan import BackendDescriptor
from appliance.ops.doctor.facts import (
    Check,
    ClockFacts,
    DaemonFacts,
    DiskFacts,
    EngineFacts,
    Facts,
    HomeFacts,
    LibraryFacts,
    ModelFacts,
    NetworkFacts,
    PathFacts,
)
from tests.fakes import GIB, machine

NATIVE = frozenset({Instruction.AVX2, Instruction.AVX512_VNNI})
HOME = "/home/ann/appliance"


def path(name: str = "", **changes: Any) -> PathFacts:
    """A folder of the state folder, or the folder itself."""
    return PathFacts(
        **{
            "path": f"{HOME}/{name}".rstrip("/"),
            "is_folder": True,
            "mode": 0o700,
            "owner": "ann",
            "is_foreign": False,
            "is_writable": True,
        }
        | changes
    )


def engine(**changes: Any) -> EngineFacts:
    """An engine that was compiled for this processor."""
    descriptor = BackendDescriptor(
        name="one",
        state="ready",
        message="engine 1.0",
        mend="python -m pip install one",
        formats=frozenset({"gguf"}),
        devices=("cpu",),
        kv_types=("f16",),
        version="1.0",
    )
    told = EngineInstructions(used=NATIVE, usable=NATIVE, worth={Instruction.AVX512_VNNI: "a third faster (source)"})
    facts = EngineFacts(descriptor=descriptor, instructions=told, rebuild_command="pip install --no-binary one one")
    return msgspec.structs.replace(facts, **changes)


def readings(**changes: Any) -> HardwareReadings:
    """A machine that idles."""
    idle = HardwareReadings(
        cpu_busy_ratio=0.0,
        load_average_1_min=0.0,
        cpu_mhz=3000.0,
        memory_available_bytes=6 * GIB,
        swap_used_bytes=0,
        temperatures=(),
        is_throttled=False,
        throttling=(),
        cpu_watts=None,
        system_watts=None,
        power_source="mains",
        battery_ratio=None,
        accelerators=(),
        notes=(),
    )
    return msgspec.structs.replace(idle, **changes)


def healthy(**changes: Any) -> Facts:
    """A machine with a daemon that runs and is ready."""
    facts = Facts(
        version="1.0",
        python="3.11.7",
        executable="/venv/bin/python",
        is_root=False,
        snapshot=machine(instructions=NATIVE),
        readings=readings(),
        engines=(engine(),),
        requires_python=">=3.11",
        libraries=(LibraryFacts(name="one", specifier="==1.0", installed="1.0"),),
        home=HomeFacts(path=HOME, paths=(path(), path("keys", is_folder=False, mode=0o600))),
        disk=DiskFacts(file_system="ext4", mount="/", free_bytes=100 * GIB, total_bytes=200 * GIB),
        models=ModelFacts(num_installed=1, default_model="guide"),
        network=NetworkFacts(keys=()),
        daemon=DaemonFacts(process=7, version="1.0", is_ready=True),
        clock=ClockFacts(now_s=2e9, installed_s=1e9, is_synchronized=True),
    )
    return msgspec.structs.replace(facts, **changes)


def with_processor(**changes: Any) -> Facts:
    """A healthy machine with another processor."""
    snapshot = machine(instructions=NATIVE)
    processor = msgspec.structs.replace(snapshot.processor, **changes)
    return healthy(snapshot=msgspec.structs.replace(snapshot, processor=processor))


def with_snapshot(**changes: Any) -> Facts:
    """A healthy machine of which the hardware differs."""
    return healthy(snapshot=msgspec.structs.replace(machine(instructions=NATIVE), **changes))


def in_docker(facts: Facts) -> Facts:
    """The same facts, seen inside a container."""
    assert facts.snapshot is not None
    system = msgspec.structs.replace(facts.snapshot.system, container="docker")
    return msgspec.structs.replace(facts, snapshot=msgspec.structs.replace(facts.snapshot, system=system))


def accelerator(**changes: Any) -> Accelerator:
    """A graphics card with its driver."""
    card = Accelerator(
        id="pci:0000:01:00.0",
        kind="gpu",
        vendor="nvidia",
        name="RTX 4090",
        driver="nvidia",
        driver_version="580.1",
        architecture="sm_89",
        memory_bytes=24 * GIB,
        is_integrated=False,
    )
    return msgspec.structs.replace(card, **changes)


def found(check: Check, facts: Facts) -> list[Finding]:
    """What one check says, but for what is fine."""
    outcome = check(facts)
    findings = () if outcome is None else outcome if isinstance(outcome, tuple) else (outcome,)
    return [finding for finding in findings if finding.state != "ok"]


def only(check: Check, facts: Facts) -> Finding:
    """The one thing that a check finds."""
    (finding,) = found(check, facts)
    return finding
