"""The rows of the place of the models: a line for each thing that is here, comes, or could be had. Pure."""

from appliance.words import tr
from tui.widgets.figures import UNKNOWN, bar, joined, percent
from tui.widgets.table import Column, Row
from tui.widgets.tones import Tone, Toned, toned

from .models_entries import Entry
from .models_words import count, job_line, job_state, ratio_of, size, speed

_STATE_WIDTH, _BAR_WIDTH = 15, 9
COLUMNS = (
    Column("sign", "", 1),
    Column("name", "Name"),
    Column("state", "State", _STATE_WIDTH),
    Column("quantization", "Quant", 7),
    Column("parameters", "Params", 6, "right", from_width=88),
    Column("memory", "Memory", 9, "right"),
    Column("speed", "Tok/s", 7, "right"),
    Column("size", "On disk", 9, "right", from_width=117),
    Column("licence", "Licence", 13, from_width=104),
    Column("abilities", "Made for", 30, from_width=148),
)
_SIGNS: dict[str, tuple[str, Tone]] = {
    "ready": ("●", "success"),
    "loading": ("◐", "primary"),
    "stopping": ("◐", "muted"),
    "failed": ("✕", "error"),
    "stopped": ("○", ""),
}
_STATE_TONES: dict[str, Tone] = {"ready": "success", "loading": "primary", "failed": "error"}


def row(entry: Entry) -> Row:
    """Return the entry as a row. It says nothing that is not in the entry."""
    cells: dict[str, Toned] = {
        "sign": (_sign(entry),),
        "name": _name(entry),
        "state": _state(entry),
        "quantization": _quantization(entry),
        "parameters": _dim(entry, count(_parameters(entry))),
        "memory": _memory(entry),
        "size": _dim(entry, size(entry.size_bytes)),
        "speed": _speed(entry),
        "licence": toned(_licence(entry), "muted"),
        "abilities": toned(" ".join(entry.abilities) or UNKNOWN, "muted"),
    }
    return Row(entry.key, cells)


def sentence(entry: Entry | None) -> Toned:
    """Return the one sentence that matters most about an entry: what is done with it, what is wrong, what it is."""
    if entry is None:
        return ""
    if entry.job is not None:
        tone: Tone = "error" if entry.job.state == "failed" else "primary"
        return toned(f"{entry.name}: {job_line(entry.job)}", tone)
    if entry.model is not None and entry.model.problems:
        return toned(tr("damaged: {problem}", problem=entry.model.problems[0]), "warning")
    if entry.state == "failed":
        reason = entry.live.reason if entry.live is not None else tr("it could not be loaded")
        return toned(tr("failed: {reason}", reason=reason), "error")
    if entry.item is not None and entry.kind == "catalogue" and not entry.is_fitting:
        return toned(f"{entry.item.title}: {_why_not(entry)}", "muted")
    if entry.item is not None:
        return toned(f"{entry.item.title}, {entry.item.publisher}: {entry.item.judgement}", "muted")
    if entry.adapter is not None:
        fits = ", ".join(entry.adapter.fits)
        return toned(tr("a LoRA adapter for {models}", models=fits) if fits else tr("it fits no model here"), "muted")
    return toned(entry.live.choice or entry.live.reason if entry.live is not None else _choice(entry), "muted")


def _why_not(entry: Entry) -> str:
    """Return the reason that rules a model out: it stands right behind the first, which is about its size."""
    reasons = entry.item.reasons if entry.item is not None else ()
    return reasons[min(1, len(reasons) - 1)] if reasons else UNKNOWN


def _choice(entry: Entry) -> str:
    return next(iter(entry.model.reasons), "") if entry.model is not None else ""


def _sign(entry: Entry) -> tuple[str, Tone]:
    if entry.job is not None and entry.job.state == "failed" and entry.model is None:
        return "✕", "error"
    if entry.is_busy and entry.model is None:
        return ("‖", "warning") if entry.job is not None and entry.job.state == "paused" else ("↓", "primary")
    if entry.model is not None:
        return ("▲", "warning") if entry.model.problems else _SIGNS[entry.state]
    if entry.kind == "adapter":
        return "◇", "secondary"
    if entry.item is not None and entry.item.is_installed:
        return "○", "muted"
    return ("+", "primary") if entry.is_fitting else ("·", "muted")


def _name(entry: Entry) -> Toned:
    if entry.model is None:
        return toned(entry.name, "") if entry.is_fitting or entry.kind != "catalogue" else toned(entry.name, "muted")
    marks = (
        ("default", entry.model.is_default),
        ("pinned", entry.is_pinned),
        ("alias", entry.model.alias_of is not None),
    )
    text = ", ".join(tr(mark) for mark, is_set in marks if is_set)
    return ((entry.name, "bold"), (f"  {text}" if text else "", "muted"))


def _state(entry: Entry) -> Toned:
    job = entry.job
    if job is not None and job.state == "running" and (ratio := ratio_of(job)) is not None:
        return joined(bar(ratio, _BAR_WIDTH, "primary"), " ", percent(ratio))
    if job is not None and not (job.state == "failed" and entry.model is not None):
        far = f" {percent(ratio_of(job)).strip()}" if job.state == "paused" and ratio_of(job) is not None else ""
        return toned(job_state(job) + far, _tone_of(job.state))
    if entry.model is not None:
        return _state_of_model(entry)
    if entry.kind == "adapter":
        return tr("adapter")
    if entry.item is not None and entry.item.is_installed:
        return toned(tr("here already"), "muted")
    return toned(" ".join(entry.item.purposes) if entry.is_fitting and entry.item else tr("not for here"), "muted")


def _tone_of(state: str) -> Tone:
    return "error" if state == "failed" else "warning" if state == "paused" else "primary"


def _state_of_model(entry: Entry) -> Toned:
    ratio = entry.loading_ratio if entry.live is None or entry.live.load_ratio is None else entry.live.load_ratio
    if entry.state == "loading" and ratio is not None:
        return joined(bar(ratio, _BAR_WIDTH, "primary"), " ", percent(ratio))
    if entry.model is not None and entry.model.problems:
        return toned(tr("damaged"), "warning")
    return toned(tr(entry.state), _STATE_TONES.get(entry.state, "muted"))


def _quantization(entry: Entry) -> Toned:
    if entry.adapter is not None:
        return toned(tr("rank {number}", number=entry.adapter.rank), "muted")
    known = entry.model.quantization if entry.model is not None else entry.item.quantization if entry.item else None
    return _dim(entry, known or UNKNOWN)


def _parameters(entry: Entry) -> int | None:
    if entry.model is not None and entry.model.num_parameters is not None:
        return entry.model.num_parameters
    return entry.item.num_parameters if entry.item is not None else None


def _memory(entry: Entry) -> Toned:
    text = size(entry.memory_bytes)
    if entry.live is not None or text == UNKNOWN:
        return _dim(entry, text)
    if not entry.is_fitting:
        return toned(text, "error" if entry.model is not None else "muted")
    return toned(text, "warning") if entry.is_tight else text


def _speed(entry: Entry) -> Toned:
    """Return how fast it writes: a figure that was measured as it is, one that is predicted with a sign before it."""
    found = entry.written_tokens_per_s
    if found is None:
        return toned(UNKNOWN, "muted")
    tokens_per_s, is_measured = found
    return speed(tokens_per_s) if is_measured else toned(f"~{speed(tokens_per_s)}", "muted")


def _licence(entry: Entry) -> str:
    for source in (entry.model, entry.item, entry.adapter):
        if source is not None and source.licence:
            return source.licence
    return UNKNOWN


def _dim(entry: Entry, text: str) -> Toned:
    is_far = entry.kind == "catalogue" and not entry.is_fitting
    return toned(text, "muted") if is_far or text == UNKNOWN else text
