"""What happened on a box, in words. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from appliance.core.feed import FeedEvent
from appliance.words import tr
from tui.widgets.figures import duration
from tui.widgets.table import Row
from tui.widgets.tones import Tone, toned

KINDS = ("hardware", "job", "memory", "model")
"""First parts of the types of events that are asked for; of requests there would be too many."""

Sign = tuple[str, Tone]
_GOOD: Sign = ("●", "success")
_UNDER_WAY: Sign = ("◐", "warning")
_OVER: Sign = ("○", "muted")
_ODD: Sign = ("▲", "warning")
_BAD: Sign = ("✕", "error")


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened at `time_s`; `place` is where more can be seen of it."""

    seq: int
    time_s: float
    sign: Sign
    text: str
    place: str


def happening(event: FeedEvent, subjects: Mapping[str, str]) -> Happening | None:
    """Return an event in words, None for one of little interest. `subjects` says what jobs are about, by id."""
    data = {key: "" if value is None else str(value) for key, value in event.data.items()}
    told: tuple[Sign, str] | None = None
    place = "models"
    match event.type:
        case "model.state":
            told = _of_model(data["model"], data["state"], data.get("reason", ""))
        case "model.placed":
            told = _of_place(event.data)
        case "model.calibrated":
            told = _OVER, tr("{model} was measured on this machine", model=data["model"])
        case "model.benchmarked":
            told = _OVER, tr("{model} was measured on this machine", model=data["candidate"])
        case "memory.short":
            told = _ODD, tr("{model} ran out of memory: {measure}", model=data["model"], measure=data["measure"])
        case "hardware.easing":
            told, place = _of_easing(event.data.get("easing")), "system"
        case "job.state":
            told, place = _of_job(event.data, subjects), "jobs"
        case "request.ended":
            told, place = _of_request(data), "requests"
    return None if told is None else Happening(event.seq, event.time_s, *told, place)


def to_row(happening: Happening, now_s: float) -> Row:
    """Return a row of it, with its time: of the day, or the day."""
    then, now = datetime.fromtimestamp(happening.time_s), datetime.fromtimestamp(now_s)
    time = then.strftime("%H:%M:%S" if then.date() == now.date() else "%d.%m.%y")
    cells = {"time": toned(time, "muted"), "sign": toned(*happening.sign), "text": happening.text}
    return Row(str(happening.seq), cells)


def _of_model(model: str, state: str, reason: str) -> tuple[Sign, str] | None:
    match state:
        case "ready":
            told = tr("{model} is ready: {reason}", model=model, reason=reason)
            return _GOOD, told if reason else tr("{model} is ready", model=model)
        case "loading":
            return _UNDER_WAY, tr("{model} is being loaded", model=model)
        case "failed":
            return _BAD, tr("{model} could not be loaded: {reason}", model=model, reason=reason)
        case "stopped":
            told = tr("{model} left the memory: {reason}", model=model, reason=reason)
            return _OVER, told if reason else tr("{model} left the memory", model=model)
    return None


def _of_place(data: Mapping[str, object]) -> tuple[Sign, str] | None:
    placed = data.get("placed")
    problem = placed.get("problem") if isinstance(placed, dict) else None
    if problem is None:
        return None
    return _ODD, tr("{model} is not computed where it was planned: {problem}", model=data["model"], problem=problem)


def _of_easing(easing: object) -> tuple[Sign, str] | None:
    if not isinstance(easing, dict):
        return None
    if not easing.get("reason"):
        return _GOOD, tr("the machine works with full force again")
    ratio = f"{easing.get('work_ratio', 1.0):.0%}"
    return _ODD, tr("the machine works at {ratio}: {reason}", ratio=ratio, reason=easing["reason"])


def _of_job(data: Mapping[str, object], subjects: Mapping[str, str]) -> tuple[Sign, str] | None:
    job = f"{data['kind']} {subjects.get(str(data['id']), '')}".strip()
    taken_s = data.get("duration_s")
    match data["state"]:
        case "running":
            return _UNDER_WAY, tr("{job} began", job=job)
        case "paused":
            return _OVER, tr("{job} is paused", job=job)
        case "done":
            told = tr(
                "{job} is done after {time}", job=job, time=duration(taken_s if isinstance(taken_s, float) else 0)
            )
            return _GOOD, told
        case "failed":
            return _BAD, tr("{job} failed", job=job)
        case "cancelled":
            return _OVER, tr("{job} was cancelled", job=job)
    return None


def _of_request(data: Mapping[str, str]) -> tuple[Sign, str] | None:
    if data["outcome"] != "error":
        return None
    told = tr(
        "a request of {caller} to {model} failed: {error}",
        caller=data["caller"],
        model=data["model"],
        error=data.get("error", ""),
    )
    return _BAD, told
