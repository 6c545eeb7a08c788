"""The box in a line, all that is known of a model in memory, and what can be done with it. Pure."""

from rich.cells import cell_len
from textual.content import Content

from appliance.core.admin import LoadedModelStatus, Status
from appliance.words import tr
from tui.widgets.figures import at_left, coarse_duration, duration, joined, number, percent, rate, size
from tui.widgets.tones import Toned, toned


def summary(status: Status) -> tuple[Toned, Toned]:
    """Return a line: whether the box is ready and for how long it runs; at the right what it has to do."""
    sign, said = toned("●", "success"), tr("ready")
    if status.state == "draining":
        sign, said = toned("▲", "warning"), tr("about to stop")
    elif not status.is_ready:
        sign, said = toned("◐", "warning"), tr("not ready: {reason}", reason=status.not_ready_reason or "")
    up = tr("up {time}", time=coarse_duration(status.uptime_s))
    default = tr("default {model}", model=status.default_model)
    left = joined(sign, f" {said}", toned(f" · {up} · {default} · {status.versions.appliance}", "muted"))
    running = toned(tr("{count} running", count=number(status.num_running)), "" if status.num_running else "muted")
    waits = tr("{count} waiting", count=number(status.num_waiting))
    return left, joined(running, toned(" · ", "muted"), toned(waits, "warning" if status.num_waiting else "muted"))


def choices(model: LoadedModelStatus) -> list[tuple[str, str]]:
    """Return what can be done with it."""
    pin = tr("let it leave the memory when it is idle") if model.is_pinned else tr("keep it in memory (pin)")
    found = [("details", tr("details")), ("pin", pin)]
    if model.state == "failed":
        found.insert(0, ("load", tr("load it again")))
    elif model.state != "stopping":
        found.append(("unload", tr("unload it: frees {size}", size=size(model.memory_bytes))))
    return found


def details(model: LoadedModelStatus) -> Content:
    """Return all that the box says of it."""
    facts = [(label, value) for label, value in _facts(model) if value]
    width = max(cell_len(label) for label, _ in facts) + 2
    lines = [Content.assemble((at_left(label, width), "dim"), value) for label, value in facts]
    return Content("\n").join(lines)


def _facts(model: LoadedModelStatus) -> list[tuple[str, str]]:
    leaves = tr("never") if model.is_pinned or model.expires_in_s is None else duration(model.expires_in_s)
    kv = f"{number(model.kv_used_tokens)} / {number(model.kv_capacity_tokens)}"
    prefixes = f"{size(model.prefix_memory_bytes)} / {size(model.max_prefix_memory_bytes)}"
    return [
        (tr("state"), model.state),
        (tr("reason"), model.reason),
        (tr("backend"), model.backend),
        (tr("device"), model.device),
        (tr("layers on the GPU"), number(model.gpu_layers) if model.gpu_layers else ""),
        (tr("not as planned"), model.device_problem or ""),
        (tr("why this backend"), model.choice),
        (tr("memory"), size(model.memory_bytes)),
        (tr("tokens a request"), number(model.context_tokens)),
        (tr("KV cache, tokens"), kv),
        (tr("prefixes in RAM"), prefixes),
        (tr("prefixes on disk"), size(model.prefix_disk_bytes)),
        (tr("running, waiting"), f"{model.num_running}, {model.num_waiting}"),
        (tr("tokens/s"), rate(model.tokens_per_s)),
        (tr("TTFT, median"), duration(model.ttft_s)),
        (tr("cached"), percent(model.cached_ratio).strip()),
        (tr("pinned"), tr("yes") if model.is_pinned else tr("no")),
        (tr("leaves the memory in"), leaves),
    ]
