"""Requests in words and pictures: rows, where the time of one went, and how the last minutes were. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from rich.cells import cell_len
from textual.content import Content

from appliance.core.admin import RecentFigures, RequestState, RequestStatus
from appliance.words import tr
from tui.widgets.figures import at_left, duration, joined, number, parts, percent, rate, short_duration
from tui.widgets.table import Column, Row
from tui.widgets.tones import Tone, Toned, plain, toned

Choice = Literal["all", "open", "ended", "failed"]
CHOICES: dict[Choice, frozenset[RequestState]] = {
    "all": frozenset(("waiting", "running", "paused", "done", "failed", "cancelled")),
    "open": frozenset(("waiting", "running", "paused")),
    "ended": frozenset(("done", "failed", "cancelled")),
    "failed": frozenset(("failed",)),
}
COLUMNS = (
    Column("sign", "", 1),
    Column("model", "model"),
    Column("caller", "who", 9),
    Column("state", "state", 9, from_width=110),
    Column("arrived", "came", 8, from_width=150),
    Column("queue", "queue", 7, "right"),
    Column("prefill", "prefill", 7, "right"),
    Column("decode", "decode", 7, "right"),
    Column("shares", "where its time went", 22, from_width=150),
    Column("prompt", "prompt", 7, "right", from_width=100),
    Column("cached", "cached", 7, "right", from_width=100),
    Column("written", "written", 7, "right"),
    Column("rate", "tokens/s", 8, "right"),
)
_SHARES_WIDTH = 22
_PICTURE_WIDTH = 44
_SIGNS: dict[RequestState, tuple[str, Tone]] = {
    "running": ("●", "success"),
    "waiting": ("◐", "warning"),
    "paused": ("◐", "warning"),
    "done": ("○", "muted"),
    "cancelled": ("○", "muted"),
    "failed": ("✕", "error"),
}


@dataclass(frozen=True, slots=True)
class Phases:
    """Where the time of a request went: None where it did not come so far."""

    queue_s: float
    prefill_s: float | None
    decode_s: float | None


def phases(request: RequestStatus) -> Phases:
    """Return the phases of a request, the last of which goes on as long as it runs."""
    if request.queue_s is None:
        return Phases(request.duration_s, None, None)
    if request.ttft_s is None:  # it reads its prompt, or is one that writes nothing
        return Phases(request.queue_s, max(0.0, request.duration_s - request.queue_s), None)
    prefill_s = max(0.0, request.ttft_s - request.queue_s)
    return Phases(request.queue_s, prefill_s, max(0.0, request.duration_s - request.ttft_s))


def is_open(request: RequestStatus) -> bool:
    """Return whether it can still be cancelled."""
    return request.state in CHOICES["open"]


def chosen_ones(requests: Sequence[RequestStatus], choice: Choice, wanted: str) -> list[RequestStatus]:
    """Return the requests in the chosen states that hold the text."""
    wanted = wanted.strip().lower()
    return [each for each in requests if each.state in CHOICES[choice] and wanted in _searched(each)]


def row(request: RequestStatus) -> Row:
    """Return a request as a row."""
    spent = phases(request)
    cells: dict[str, Toned] = {
        "sign": toned(*_SIGNS[request.state]),
        "model": request.model,
        "caller": request.caller,
        "state": toned(state_name(request.state), _SIGNS[request.state][1]),
        "arrived": toned(_clock(request), "muted"),
        "queue": _time(spent.queue_s),
        "prefill": _time(spent.prefill_s),
        "decode": _time(spent.decode_s),
        "shares": _shares(spent),
        "prompt": number(request.prompt_tokens),
        "cached": number(request.cached_tokens),
        "written": number(request.completion_tokens),
        "rate": rate(request.tokens_per_s),
    }
    if not is_open(request):
        cells["model"] = toned(request.model, "muted")
    return Row(request.id, cells)


def summary(recent: RecentFigures) -> tuple[Toned, Toned]:
    """Return a line of how the requests of the last minutes went."""
    window = tr("the last {time}", time=duration(recent.window_s).removesuffix(" 0 s"))
    if not recent.num_requests:
        return toned(tr("{window}: no request ended", window=window), "muted"), ""
    figures = tr(
        "TTFT {ttft} · {rate} tokens/s · {ratio} cached",
        ttft=duration(recent.median_ttft_s),
        rate=rate(recent.median_tokens_per_s),
        ratio=percent(recent.cached_ratio).strip(),
    )
    done = tr("{count} answered", count=number(recent.num_requests))
    return joined(toned(f"{window}: ", "muted"), done), figures


def about(request: RequestStatus | None) -> list[tuple[Toned, Toned]]:
    """Return two lines about the chosen request: what it is, and how it went or goes."""
    if request is None:
        return [("", ""), ("", "")]
    sign, tone = _SIGNS[request.state]
    first = joined(toned(f"{sign} {state_name(request.state)}", tone), f" · {request.id}")
    came = tr(
        "{caller} · {priority} · came {time}", caller=request.caller, priority=request.priority, time=_clock(request)
    )
    if request.error:
        return [(first, toned(came, "muted")), (toned(request.error, "error"), "")]
    tokens = tr("tokens: {told}", told=_tokens(request))
    ended = tr("ended: {reason}", reason=request.reason) if request.reason else ""
    return [(first, toned(came, "muted")), (toned(tokens, "muted"), toned(ended, "muted"))]


def picture(request: RequestStatus, width: int = _PICTURE_WIDTH) -> list[Toned]:
    """Return the way of a request through its phases, a line for each, one beginning where the last one ended."""
    spent = phases(request)
    tones: tuple[tuple[str, float | None, Tone], ...] = (
        (tr("queue"), spent.queue_s, "warning"),
        (tr("prefill"), spent.prefill_s, "secondary"),
        (tr("decode"), spent.decode_s, "success"),
    )
    total_s = sum(seconds or 0.0 for _, seconds, _ in tones) or 1.0
    label_width = max(cell_len(label) for label, _, _ in tones)
    lines, before_s = [], 0.0
    for label, seconds, tone in tones:
        start = min(width - 1, round(before_s / total_s * width))
        before_s += seconds or 0.0
        length = max(1, round(before_s / total_s * width) - start) if seconds else 0
        bar = " " * start + "━" * length + " " * (width - start - length)
        lines.append(joined(f"{at_left(label, label_width)}  {short_duration(seconds):>7}  ", ((bar, tone),)))
    scale = f"0 s{short_duration(request.duration_s):>{width - 3}}"
    return [*lines, toned(" " * (label_width + 11) + scale, "muted")]


def details(request: RequestStatus) -> Content:
    """Return all that is known of a request, with its picture."""
    lines = [
        Content.assemble(*((part, _STYLES.get(tone, "")) for part, tone in parts(line))) for line in picture(request)
    ]
    facts = [(label, value) for label, value in _facts(request) if value]
    width = max(cell_len(label) for label, _ in facts) + 2
    told = [Content.assemble((at_left(label, width), "dim"), value) for label, value in facts]
    return Content("\n").join([*lines, Content(""), *told])


def state_name(state: RequestState) -> str:
    """Return the state in the language of the person."""
    names = {
        "waiting": tr("waiting"),
        "running": tr("running"),
        "paused": tr("paused"),
        "done": tr("done"),
        "failed": tr("failed"),
        "cancelled": tr("cancelled"),
    }
    return names[state]


_STYLES: dict[Tone, str] = {
    "warning": "$warning",
    "secondary": "$secondary",
    "success": "$success",
    "muted": "dim",
}


def _facts(request: RequestStatus) -> list[tuple[str, str]]:
    ended = f": {request.reason}" if request.reason else ""
    return [
        (tr("id"), request.id),
        (tr("model"), request.model),
        (tr("who"), f"{request.caller}, {request.priority}"),
        (tr("state"), state_name(request.state) + ended),
        (tr("error"), request.error or ""),
        (tr("came"), datetime.fromtimestamp(request.arrived_s).strftime("%d.%m.%Y %H:%M:%S")),
        (tr("took"), duration(request.duration_s)),
        (tr("TTFT"), duration(request.ttft_s)),
        (tr("tokens"), _tokens(request)),
        (tr("tokens/s"), rate(request.tokens_per_s)),
    ]


def _tokens(request: RequestStatus) -> str:
    return tr(
        "{prompt} read, {cached} of them cached, {written} written",
        prompt=number(request.prompt_tokens),
        cached=number(request.cached_tokens),
        written=number(request.completion_tokens),
    )


def _shares(spent: Phases) -> Toned:
    tones: tuple[tuple[float | None, str, Tone], ...] = (
        (spent.queue_s, "░", "warning"),
        (spent.prefill_s, "▒", "secondary"),
        (spent.decode_s, "█", "success"),
    )
    total_s = sum(seconds or 0.0 for seconds, _, _ in tones)
    if total_s <= 0:
        return ""
    shown: list[tuple[str, Tone]] = []
    end_s, end = 0.0, 0
    for seconds, sign, tone in tones:
        end_s += seconds or 0.0
        start, end = end, round(end_s / total_s * _SHARES_WIDTH)
        shown.append((sign * (end - start), tone))
    return tuple(shown)


def _time(seconds: float | None) -> Toned:
    return short_duration(seconds) if seconds is not None else toned(short_duration(None), "muted")


def _clock(request: RequestStatus) -> str:
    return datetime.fromtimestamp(request.arrived_s).strftime("%H:%M:%S")


def _searched(request: RequestStatus) -> str:
    texts = (request.id, request.model, request.caller, request.state, request.priority, request.error or "")
    return " ".join((*texts, plain(state_name(request.state)))).lower()
