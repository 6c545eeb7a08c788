"""`appliance ps`: what the daemon does at this moment."""

import argparse
from collections.abc import Iterator

import msgspec

from appliance.client import Client, ClientError
from appliance.core.admin import LoadedModelStatus, MachineStatus, RecentFigures, Requests, RequestStatus, Status
from appliance.core.units import format_bytes, format_seconds
from appliance.words import counted, tr

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
    lines = [*_summary(status), ""]
    if not status.models:
        nothing = "no model is in memory; a request for one loads it ({default} by default)"
        return [*lines, tr(nothing, default=status.default_model)]
    lines.append(table(HEADERS, map(_row, status.models), right=HEADERS[3:7]))
    for model in status.models:
        if model.device_problem is not None:
            problem = printable(model.device_problem)
            lines.append(tr("{name} is not computed where it was planned: {problem}", name=model.name, problem=problem))
    why = [(model.name, model.reason if model.state == "failed" else model.choice) for model in status.models]
    return lines + [f"{name}: {printable(reason)}" for name, reason in why if reason]


def _summary(status: Status) -> Iterator[str]:
    ready = tr("ready") if status.is_ready else tr("not ready: {reason}", reason=status.not_ready_reason)
    state, time = tr(status.state), format_seconds(status.uptime_s)
    yield tr("{state} at {url} for {time}, {ready}", state=state, url=status.url, time=time, ready=printable(ready))
    machine = status.machine
    requests = tr("{running} running, {waiting} waiting", running=status.num_running, waiting=status.num_waiting)
    yield requests + tr(
        "; CPU {busy:.0%} busy{vitals}, {free} of {total} memory free",
        busy=machine.cpu_busy_ratio,
        vitals=_vitals(machine),
        free=format_bytes(machine.memory_available_bytes),
        total=format_bytes(machine.memory_total_bytes),
    )
    if machine.easing.reason:
        yield tr("working at {ratio:.0%}: {reason}", ratio=machine.easing.work_ratio, reason=machine.easing.reason)


def _vitals(machine: MachineStatus) -> str:
    celsius, watts = machine.temperature_celsius, machine.power_watts
    heat = "" if celsius is None else tr(" at {celsius:.0f} °C", celsius=celsius)
    return heat + ("" if watts is None else tr(" with {watts:.0f} W", watts=watts))


def _row(model: LoadedModelStatus) -> tuple[str, ...]:
    loading = f" {model.load_ratio:.0%}" if model.state == "loading" and model.load_ratio is not None else ""
    unloads = "-" if model.expires_in_s is None else tr("in {time}", time=format_seconds(model.expires_in_s))
    layers = tr(" ({number} layers)", number=model.gpu_layers) if model.gpu_layers else ""
    return (
        model.name,
        tr(model.state) + loading,
        f"{model.backend} {model.device}{layers}",
        format_bytes(model.memory_bytes),
        str(model.num_running),
        str(model.num_waiting),
        f"{model.tokens_per_s:.1f}",
        tr("never (pinned)") if model.is_pinned else unloads,
    )


def _request_lines(requests: Requests) -> list[str]:
    active = [request for request in requests.requests if request.state in ("running", "paused", "waiting")]
    lines = []
    if active:
        lines += ["", table(REQUEST_HEADERS, map(_request_row, active[:MAX_REQUESTS]), right=REQUEST_HEADERS[5:9])]
    if len(active) > MAX_REQUESTS:
        lines.append(tr("and {number} more; --json has all", number=len(active) - MAX_REQUESTS))
    return [*lines, "", _recent(requests.recent)] if requests.recent.num_requests else lines


def _request_row(request: RequestStatus) -> tuple[str, ...]:
    return (
        request.id[:8],
        _shortened(request.caller),
        request.priority,
        _shortened(request.model),
        tr(request.state),
        "-" if request.prompt_tokens is None else str(request.prompt_tokens),
        "-" if request.cached_tokens is None else str(request.cached_tokens),
        str(request.completion_tokens),
        "-" if request.tokens_per_s is None else f"{request.tokens_per_s:.1f}",
        format_seconds(request.duration_s),
    )


def _shortened(name: str) -> str:
    return name if len(name) <= _MAX_NAME_LENGTH else f"{name[: _MAX_NAME_LENGTH - 1]}…"


def _recent(recent: RecentFigures) -> str:
    answered = counted(recent.num_requests, "1 request answered", "{number} requests answered")
    figures = [tr("last {minutes:.0f} min: {answered}", minutes=recent.window_s / 60, answered=answered)]
    if recent.median_ttft_s is not None:
        figures.append(tr("first token after {time}", time=format_seconds(recent.median_ttft_s)))
    if recent.median_tokens_per_s is not None:
        figures.append(tr("{speed:.1f} tokens/s each (medians)", speed=recent.median_tokens_per_s))
    if recent.cached_ratio is not None:
        figures.append(tr("{ratio:.0%} of prompt tokens from the cache", ratio=recent.cached_ratio))
    return ", ".join(figures)
