"""A model in memory in words: two lines where room is scarce, a frame with more in it where it is not. Pure."""

import textwrap

from rich.cells import cell_len

from appliance.core.admin import LoadedModelStatus
from appliance.core.events import ModelState
from appliance.words import tr

from .figures import bar, coarse_duration, cut, joined, number, percent, rate, short_duration, size, spread
from .tones import Tone, Toned, plain, toned

BRIEF_LINES = 2
FRAME_LINES = 7
SIGNS: dict[ModelState, tuple[str, Tone]] = {
    "ready": ("●", "success"),
    "loading": ("◐", "warning"),
    "stopping": ("◐", "warning"),
    "stopped": ("○", "muted"),
    "failed": ("✕", "error"),
}
_BAR_WIDTH = 24

Line = tuple[Toned, Toned]
"""What stands at the left end of a line, and what at the right."""


def brief(model: LoadedModelStatus, width: int) -> tuple[Toned, ...]:
    """Return two lines of `width` cells."""
    if model.state == "failed":
        lines: list[Line] = [("", toned(tr("failed"), "error")), (toned(_failure(model), "error"), "")]
    elif model.state != "ready":
        lines = [("", _progress(model)), (_where(model), toned(size(model.memory_bytes), "muted"))]
    else:
        where = joined(_where(model), toned(f" · {size(model.memory_bytes)}", "muted"))
        lines = [("", joined(_speed(model), "  ", _at_work(model))), (where, toned(_held(model), "muted"))]
    lines[0] = (
        joined(toned(*SIGNS[model.state]), " ", toned(model.name, "bold"), toned(_note(model), "muted")),
        lines[0][1],
    )
    return tuple(
        spread(left if number == 0 else joined("  ", left), right, width) for number, (left, right) in enumerate(lines)
    )


def framed(model: LoadedModelStatus, width: int, *, is_chosen: bool = False) -> tuple[Toned, ...]:
    """Return a frame of `FRAME_LINES` lines, `width` cells each."""
    edge: Tone = "primary" if is_chosen else "muted"
    note = toned(f"{_standing(model)} ", "muted")
    title = joined(toned(*SIGNS[model.state]), " ", toned(model.name, "bold"), " ")
    title = cut(title, width - 8 - cell_len(plain(note)))
    line = "─" * (width - 6 - cell_len(plain(title)) - cell_len(plain(note)))
    top = joined(toned("╭─ ", edge), title, toned(f"{line} ", edge), note, toned("─╮", edge))
    inner = [
        joined(toned("│ ", edge), spread(left, right, width - 4), toned(" │", edge))
        for left, right in _inside(model, width - 4)
    ]
    return (top, *inner, toned("╰" + "─" * (width - 2) + "╯", edge))


def _inside(model: LoadedModelStatus, width: int) -> list[Line]:
    """Return the five lines within a frame."""
    where: Line = (_where(model), toned(size(model.memory_bytes), "muted"))
    if model.state == "failed":
        lines = textwrap.wrap(_failure(model), width, max_lines=3, placeholder=" …")
        told: list[Line] = [(toned(line, "error"), "") for line in lines]
        return [where, *told, *[("", "")] * (3 - len(told)), (toned(tr("l loads it again"), "muted"), "")]
    below: Line = (toned(model.choice, "muted"), "")
    if model.device_problem is not None:
        below = (toned(f"▲ {model.device_problem}", "warning"), "")
    if model.state != "ready":
        return [where, ("", ""), (_progress(model), ""), ("", ""), below]
    ratio = _kv_ratio(model)
    cells = joined(tr("KV"), " ", bar(ratio, min(_BAR_WIDTH, width - 28)), percent(ratio))
    figures = tr("TTFT {time}   cached {ratio}", time=_ttft(model), ratio=percent(model.cached_ratio))
    context = toned(tr("{count} a request", count=number(model.context_tokens)), "muted")
    return [where, (_speed(model), _at_work(model)), (figures, ""), (cells, context), below]


def _where(model: LoadedModelStatus) -> Toned:
    device = f"{model.device} ({model.gpu_layers})" if model.gpu_layers else model.device
    text = f"{model.backend} · {device}"
    return toned(f"▲ {text}", "warning") if model.device_problem is not None else toned(text, "muted")


def _state(model: LoadedModelStatus) -> str:
    names = {"ready": tr("ready"), "loading": tr("loading"), "stopping": tr("stopping"), "failed": tr("failed")}
    return names.get(model.state, tr("stopped"))


def _note(model: LoadedModelStatus) -> str:
    return f" · {tr('pinned')}" if model.is_pinned else ""


def _standing(model: LoadedModelStatus) -> str:
    """Return the state in words and, of a model that is ready, how long it stays."""
    if model.state != "ready":
        return _state(model) + _note(model)
    if model.is_pinned:
        return tr("pinned")
    if model.num_running or model.expires_in_s is None:
        return tr("ready")
    return tr("leaves in {time}", time=coarse_duration(model.expires_in_s))


def _failure(model: LoadedModelStatus) -> str:
    return model.reason or tr("it could not be loaded")


def _progress(model: LoadedModelStatus) -> Toned:
    if model.state != "loading":
        return toned(_state(model), "muted")
    return joined(tr("loading"), " ", bar(model.load_ratio, _BAR_WIDTH, "warning"), percent(model.load_ratio))


def _speed(model: LoadedModelStatus) -> Toned:
    tone: Tone = "success" if model.tokens_per_s else "muted"
    return toned(tr("{rate} tokens/s", rate=f"{rate(model.tokens_per_s):>7}"), tone)


def _at_work(model: LoadedModelStatus) -> Toned:
    running = toned(tr("{count} running", count=f"{model.num_running:>3}"), "" if model.num_running else "muted")
    waiting = toned(tr("{count} waiting", count=f"{model.num_waiting:>3}"), "warning" if model.num_waiting else "muted")
    return joined(running, "  ", waiting)


def _held(model: LoadedModelStatus) -> str:
    ratio, kv = percent(model.cached_ratio), percent(_kv_ratio(model))
    return tr("TTFT {time}  cached {ratio}  KV {kv}", time=_ttft(model), ratio=ratio, kv=kv)


def _ttft(model: LoadedModelStatus) -> str:
    return f"{short_duration(model.ttft_s):>6}"


def _kv_ratio(model: LoadedModelStatus) -> float | None:
    return model.kv_used_tokens / model.kv_capacity_tokens if model.kv_capacity_tokens else None
