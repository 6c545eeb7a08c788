"""`appliance ps`: what the daemon does at this moment."""

import argparse

from appliance.core.admin import LoadedModelStatus, MachineStatus, Status
from appliance.core.units import format_bytes, format_seconds

from .arguments import Group, add_command
from .context import Context
from .exits import DONE
from .output import print_json, printable, table

DESCRIPTION = """
Show what the daemon does now: the models in memory, the requests that run and wait, and the state of the machine.
"""
EXAMPLES = """
appliance ps
appliance ps --json
watch appliance ps
"""
HEADERS = ("NAME", "STATE", "BACKEND", "MEMORY", "RUN", "WAIT", "TOKENS/S", "UNLOADS")


def register(group: Group) -> None:
    """Add the command."""
    add_command(group, "ps", _run, "show what the daemon does now", DESCRIPTION, EXAMPLES)


def _run(arguments: argparse.Namespace, context: Context) -> int:
    status = context.client().status()
    if context.is_json:
        print_json(status)
    else:
        print("\n".join(_lines(status)))
    return DONE


def _lines(status: Status) -> list[str]:
    machine = status.machine
    readiness = "ready" if status.is_ready else f"not ready: {status.not_ready_reason}"
    free, total = format_bytes(machine.memory_available_bytes), format_bytes(machine.memory_total_bytes)
    lines = [
        f"{status.state} at {status.url} for {format_seconds(status.uptime_s)}, {printable(readiness)}",
        f"{status.num_running} running, {status.num_waiting} waiting; "
        f"CPU {machine.cpu_busy_ratio:.0%} busy{_vitals(machine)}, {free} of {total} memory free",
        "",
    ]
    if not status.models:
        return [*lines, f"no model is in memory; a request for one loads it ({status.default_model} by default)"]
    lines.append(table(HEADERS, map(_row, status.models), right=HEADERS[3:7]))
    failed = [model for model in status.models if model.state == "failed"]
    return lines + [f"{model.name}: {printable(model.reason)}" for model in failed]


def _vitals(machine: MachineStatus) -> str:
    celsius = "" if machine.temperature_celsius is None else f" at {machine.temperature_celsius:.0f} °C"
    return celsius + ("" if machine.power_watts is None else f" with {machine.power_watts:.0f} W")


def _row(model: LoadedModelStatus) -> tuple[str, ...]:
    loading = f" {model.load_ratio:.0%}" if model.state == "loading" and model.load_ratio is not None else ""
    unloads = "-" if model.expires_in_s is None else f"in {format_seconds(model.expires_in_s)}"
    return (
        model.name,
        model.state + loading,
        f"{model.backend} {model.device}",
        format_bytes(model.memory_bytes),
        str(model.num_running),
        str(model.num_waiting),
        f"{model.tokens_per_s:.1f}",
        "never (pinned)" if model.is_pinned else unloads,
    )
