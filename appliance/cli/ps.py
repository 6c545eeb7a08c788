"""`appliance ps`: what the daemon does at this moment."""

import argparse

import msgspec

from appliance.client import Client, ClientError
from appliance.core.admin import LoadedModelStatus, MachineStatus, RecentFigures, Requests, RequestStatus, Status
from appliance.core.units import format_bytes, format_seconds

from .arguments import Group, add_command
from .context import Context
from .exits import DONE
from .output import print_json, printable, table

DESCRIPTION = """
Show what the daemon does now: the models in memory, the requests that run and wait (a key of scope 'use' does not see
them), and the state of the machine. With --json also the requests that ended last.
"""
EXAMPLES = """
appliance ps
appliance ps --json
watch appliance ps
"""
MAX_REQUESTS = 18
HEADERS = ("NAME", "STATE", "BACKEND", "MEMORY", "RUN", "WAIT", "TOKENS/S", "UNLOADS")
REQUEST_HEADERS = (
    *("REQUEST", "CALLER", "CLASS", "MODEL", "STATE"),
    *("PROMPT", "CACHED", "WRITTEN", "TOKENS/S", "TIME"),
)
_MAX_NAME_LENGTH = 20


def register(group: Group) -> None:
    """Add the command."""
    add_command(group, "ps", _run, "show what the daemon does now", DESCRIPTION, EXAMPLES)


def _run(arguments: argparse.Namespace, context: Context) -> int:
    client = context.client()
    status, requests = client.status(), _requests(client)
    if context.is_json:
        print_json(msgspec.to_builtins(status) | (msgspec.to_builtins(requests) if requests else {}))
    else:
        print("\n".join(_lines(status) + (_request_lines(requests) if requests else [])))
    return DONE


def _requests(client: Client) -> Requests | None:
    """Return what operators may see, None with a key that may not."""
    try:
        return client.requests()
    except ClientError as error:
        if error.status == 403:
            return None
        raise


def _lines(status: Status) -> list[str]:
    machine = status.machine
    readiness = "ready" if status.is_ready else f"not ready: {status.not_ready_reason}"
    free, total = format_bytes(machine.memory_available_bytes), format_bytes(machine.memory_total_bytes)
    lines = [
        f"{status.state} at {status.url} for {format_seconds(status.uptime_s)}, {printable(readiness)}",
        f"{status.num_running} running, {status.num_waiting} waiting; "
        f"CPU {machine.cpu_busy_ratio:.0%} busy{_vitals(machine)}, {free} of {total} memory free",
        *([f"working at {machine.easing.work_ratio:.0%}: {machine.easing.reason}"] if machine.easing.reason else []),
        "",
    ]
    if not status.models:
        return [*lines, f"no model is in memory; a request for one loads it ({status.default_model} by default)"]
    lines.append(table(HEADERS, map(_row, status.models), right=HEADERS[3:7]))
    why = [(model.name, model.reason if model.state == "failed" else model.choice) for model in status.models]
    elsewhere = [(each.name, each.device_problem) for each in status.models if each.device_problem is not None]
    lines += [f"{name} is not computed where it was planned: {printable(problem)}" for name, problem in elsewhere]
    return lines + [f"{name}: {printable(reason)}" for name, reason in why if reason]


def _vitals(machine: MachineStatus) -> str:
    celsius = "" if machine.temperature_celsius is None else f" at {machine.temperature_celsius:.0f} °C"
    return celsius + ("" if machine.power_watts is None else f" with {machine.power_watts:.0f} W")


def _row(model: LoadedModelStatus) -> tuple[str, ...]:
    loading = f" {model.load_ratio:.0%}" if model.state == "loading" and model.load_ratio is not None else ""
    unloads = "-" if model.expires_in_s is None else f"in {format_seconds(model.expires_in_s)}"
    return (
        model.name,
        model.state + loading,
        f"{model.backend} {model.device}" + (f" ({model.gpu_layers} layers)" if model.gpu_layers else ""),
        format_bytes(model.memory_bytes),
        str(model.num_running),
        str(model.num_waiting),
        f"{model.tokens_per_s:.1f}",
        "never (pinned)" if model.is_pinned else unloads,
    )


def _request_lines(requests: Requests) -> list[str]:
    active = [request for request in requests.requests if request.state in ("running", "paused", "waiting")]
    lines = []
    if active:
        lines += ["", table(REQUEST_HEADERS, map(_request_row, active[:MAX_REQUESTS]), right=REQUEST_HEADERS[5:9])]
    if len(active) > MAX_REQUESTS:
        lines.append(f"and {len(active) - MAX_REQUESTS} more; --json has all")
    return [*lines, "", _recent(requests.recent)] if requests.recent.num_requests else lines


def _request_row(request: RequestStatus) -> tuple[str, ...]:
    return (
        request.id[:8],
        _shortened(request.caller),
        request.priority,
        _shortened(request.model),
        request.state,
        "-" if request.prompt_tokens is None else str(request.prompt_tokens),
        "-" if request.cached_tokens is None else str(request.cached_tokens),
        str(request.completion_tokens),
        "-" if request.tokens_per_s is None else f"{request.tokens_per_s:.1f}",
        format_seconds(request.duration_s),
    )


def _shortened(name: str) -> str:
    return name if len(name) <= _MAX_NAME_LENGTH else f"{name[: _MAX_NAME_LENGTH - 1]}…"


def _recent(recent: RecentFigures) -> str:
    plural = "" if recent.num_requests == 1 else "s"
    figures = [f"last {recent.window_s / 60:.0f} min: {recent.num_requests} request{plural} answered"]
    if recent.median_ttft_s is not None:
        figures.append(f"first token after {format_seconds(recent.median_ttft_s)}")
    if recent.median_tokens_per_s is not None:
        figures.append(f"{recent.median_tokens_per_s:.1f} tokens/s each (medians)")
    if recent.cached_ratio is not None:
        figures.append(f"{recent.cached_ratio:.0%} of prompt tokens from the cache")
    return ", ".join(figures)
