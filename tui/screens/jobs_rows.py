"""Durable work as rows: jobs and tasks in one list, with how far each is. Pure; knows no widget."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from appliance.client.tasks import TaskView
from appliance.core.events import JobState
from appliance.core.feed import FeedEvent
from appliance.core.jobs import Job, JobProgress
from appliance.core.units import format_bytes, format_seconds
from appliance.words import tr
from tui.widgets.figures import bar, percent
from tui.widgets.table import Column, Row
from tui.widgets.tones import Tone, Toned, toned

COLUMNS = (
    Column("state", "State", 11),
    Column("kind", "Kind", 9),
    Column("of", "Of"),
    Column("progress", "Progress", 16),
    Column("amount", "Amount", 23, "right", from_width=120),
    Column("rate", "Rate", 11, "right", from_width=100),
    Column("left", "Left", 7, "right"),
    Column("caller", "Caller", 14, from_width=110),
    Column("age", "Age", 7, "right"),
)
SIGNS: dict[JobState, tuple[str, Tone]] = {
    "running": ("●", "success"),
    "queued": ("◐", "secondary"),
    "paused": ("▲", "warning"),
    "done": ("✓", "muted"),
    "failed": ("✕", "error"),
    "cancelled": ("○", "muted"),
}
Choice = Literal["all", "open", "ended", "failed"]
CHOICES: dict[Choice, frozenset[JobState]] = {
    "all": frozenset(SIGNS),
    "open": frozenset({"queued", "running", "paused"}),
    "ended": frozenset({"done", "failed", "cancelled"}),
    "failed": frozenset({"failed"}),
}
_BAR_CELLS = 10
_SUBJECTS = ("model", "batch", "candidate", "source", "name")


@dataclass(frozen=True, slots=True)
class Work:
    """A job or a task. A task has no progress: it is one question."""

    of: Job | TaskView

    @property
    def id(self) -> str:
        """Return the id that the box gave it."""
        return self.of.id if isinstance(self.of, Job) else self.of.task_id

    @property
    def state(self) -> JobState:
        """Return its state."""
        return self.of.state if isinstance(self.of, Job) else self.of.status

    @property
    def kind(self) -> str:
        """Return what kind of work it is."""
        return self.of.kind if isinstance(self.of, Job) else "task"

    @property
    def subject(self) -> str:
        """Return what it works on; of a path the last part."""
        if not isinstance(self.of, Job):
            return self.of.model
        found = next((value for key in _SUBJECTS if (value := self.of.arguments.get(key))), "")
        return str(found).rstrip("/").rpartition("/")[2]

    @property
    def created_s(self) -> float:
        """Return when it was asked for."""
        return self.of.created_s if isinstance(self.of, Job) else self.of.created_at

    @property
    def caller(self) -> str:
        """Return who asked for it; nothing for a task, which is the person's own."""
        return (self.of.caller or tr("the box")) if isinstance(self.of, Job) else ""

    @property
    def progress(self) -> JobProgress:
        """Return how far it is."""
        return self.of.progress if isinstance(self.of, Job) else JobProgress()

    @property
    def took_s(self) -> float | None:
        """Return how long it took from its first start, None unless it has ended."""
        if isinstance(self.of, Job):
            return self.of.duration_s
        started_s, ended_s = self.of.started_at, self.of.ended_at
        return None if started_s is None or ended_s is None else ended_s - started_s

    def holds(self, text: str) -> bool:
        """Return whether a text that was typed is in what the row says."""
        return text.lower() in " ".join((self.id, self.kind, self.subject, self.state, self.caller)).lower()


def row(work: Work, now_s: float) -> Row:
    """Return its row."""
    sign, tone = SIGNS[work.state]
    progress = work.progress
    is_running = work.state == "running"
    left_s = progress.left_s if is_running else None
    cells: dict[str, Toned] = {
        "state": toned(f"{sign} {tr(work.state)}", tone),
        "kind": work.kind,
        "of": work.subject or work.id,
        "progress": _progress(work),
        "amount": toned(amount(progress), "muted"),
        "rate": rate(progress) if is_running else "",
        "left": "" if left_s is None else brief(left_s),
        "caller": toned(work.caller, "muted"),
        "age": toned(brief(now_s - work.created_s), "muted"),
    }
    return Row(work.id, cells)


def advanced(jobs: Sequence[Job], events: Sequence[FeedEvent]) -> tuple[Job, ...]:
    """Return the jobs with the progress that was told of them."""
    told = {str(event.data["id"]): event.data for event in events if event.type == "job.progress"}
    return tuple(_advanced(job, told[job.id]) if job.id in told else job for job in jobs)


def amount(progress: JobProgress) -> str:
    """Return how much is done, in its own unit; nothing where it has none."""
    if progress.unit == "ratio":
        return ""
    is_bytes = progress.unit == "bytes"
    done = format_bytes(progress.done) if is_bytes else f"{progress.done:,.0f}"
    if progress.total is None:
        return done if is_bytes else f"{done} {progress.unit}"
    return f"{done} / {format_bytes(progress.total)}" if is_bytes else f"{done} / {progress.total:,.0f} {progress.unit}"


def rate(progress: JobProgress) -> str:
    """Return how fast it goes, nothing where that is not known."""
    if not progress.rate or progress.unit == "ratio":
        return ""
    return f"{format_bytes(progress.rate)}/s" if progress.unit == "bytes" else f"{progress.rate:.3g}/s"


def choice_in_words(choice: Choice) -> str:
    """Return which states are shown."""
    words: dict[Choice, str] = {"all": tr("all"), "open": tr("open"), "ended": tr("ended"), "failed": tr("failed")}
    return words[choice]


def brief(seconds: float) -> str:
    """Return a duration in one unit, which fits into a narrow column."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    return f"{whole // 3600} h" if whole < 2 * 86400 else f"{whole // 86400} d"


def summary(work: Work) -> Toned:
    """Return the lines below the table: what the work is doing, or how it ended."""
    progress = work.progress
    facts = [progress.text, amount(progress), rate(progress) if work.state == "running" else ""]
    if progress.num_failed:
        facts.append(tr("{number} failed", number=progress.num_failed))
    if work.took_s is not None:
        facts.append(tr("took {time}", time=format_seconds(work.took_s)))
    said: list[tuple[str, Tone]] = [(work.id, "bold"), ("  ", ""), (" · ".join(filter(None, facts)), "muted")]
    if work.of.error is not None:
        said.append((f"\n{work.of.error.message}", "error"))
    return tuple(said)


def _progress(work: Work) -> Toned:
    progress = work.progress
    if work.state in CHOICES["ended"]:
        return toned("" if work.took_s is None else tr("took {time}", time=brief(work.took_s)), "muted")
    if progress.total:
        ratio = min(1.0, progress.done / progress.total)
        return (*bar(ratio, _BAR_CELLS, "primary"), (f" {percent(ratio)}", ""))
    return toned(progress.text, "muted")


def _advanced(job: Job, told: dict[str, object]) -> Job:
    known = {name: told[name] for name in ("text", "done", "total", "unit", "num_failed") if name in told}
    progress = {**msgspec.to_builtins(job.progress), **known}
    return msgspec.structs.replace(job, progress=msgspec.convert(progress, JobProgress))
