"""What of a box wants attention, and what would mend it. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from appliance.core.admin import LoadedModelStatus, Status
from appliance.core.doctor import Finding
from appliance.core.easing import Easing
from appliance.core.jobs import Job
from appliance.words import tr
from tui.widgets.figures import joined
from tui.widgets.table import Row
from tui.widgets.tones import Tone, toned

JOBS_OF_S = 24 * 3600.0
"""Jobs that failed longer ago are history."""


@dataclass(frozen=True, slots=True)
class Load:
    """Mended by loading the model again."""

    model: str


@dataclass(frozen=True, slots=True)
class Go:
    """Mended at another place."""

    place: str


@dataclass(frozen=True, slots=True)
class Show:
    """Mended by a person, who reads why and, where one helps, copies the command."""

    title: str
    text: str
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing that wants attention. `key` stays the same as long as it is about the same thing."""

    key: str
    is_grave: bool
    text: str
    deed: Load | Go | Show


def concerns(
    status: Status | None, findings: Iterable[Finding], jobs: Iterable[Job], now_s: float
) -> tuple[Concern, ...]:
    """Return what wants attention, the gravest first."""
    found = [concern for each in findings for concern in _of_finding(each)]
    if status is not None:
        found += [concern for model in status.models for concern in _of_model(model)]
        found += _of_easing(status.machine.easing)
        if status.state == "draining":
            text = tr("the box finishes what runs and takes nothing new: it is about to stop")
            found.append(Concern("draining", False, text, Go("requests")))
    found += _of_jobs(tuple(jobs), now_s)
    return tuple(sorted(found, key=lambda concern: not concern.is_grave))


def to_row(concern: Concern) -> Row:
    """Return a row of what is the matter, and what Enter does about it."""
    tone: Tone = "error" if concern.is_grave else "warning"
    match concern.deed:
        case Load():
            deed = tr("load again")
        case Go("requests"):
            deed = tr("to the requests")
        case Go("jobs"):
            deed = tr("to the jobs")
        case Go():
            deed = tr("to the system")
        case Show(command=None):
            deed = tr("why")
        case Show():
            deed = tr("what mends it")
    cells = {
        "sign": toned("✕" if concern.is_grave else "▲", tone),
        "text": concern.text,
        "deed": joined(toned("Enter ", "primary"), toned(deed, "muted")),
    }
    return Row(concern.key, cells)


def _of_finding(finding: Finding) -> list[Concern]:
    if finding.state not in ("warning", "error"):
        return []
    deed = Show(finding.title, finding.reason or "", finding.mend)
    return [Concern(f"doctor {finding.check} {finding.title}", finding.state == "error", finding.title, deed)]


def _of_model(model: LoadedModelStatus) -> list[Concern]:
    if model.state == "failed":
        reason = model.reason or tr("it could not be loaded")
        return [Concern(f"failed {model.name}", True, f"{model.name}: {reason}", Load(model.name))]
    if model.device_problem is not None:
        text = tr("{model} is not computed where it was planned", model=model.name)
        deed = Show(text, model.device_problem, f"appliance explain {model.name}")
        return [Concern(f"device {model.name}", False, f"{text}: {model.device_problem}", deed)]
    return []


def _of_easing(easing: Easing) -> list[Concern]:
    if easing.is_full:
        return []
    text = tr("the machine works at {ratio}: {reason}", ratio=f"{easing.work_ratio:.0%}", reason=easing.reason)
    return [Concern("easing", False, text, Go("system"))]


def _of_jobs(jobs: Sequence[Job], now_s: float) -> list[Concern]:
    """Return those that failed and were not done later, the newest of each kind and subject."""
    found, seen = [], set()
    for job in jobs:
        about = (job.kind, job_subject(job))
        if not job.has_ended or about in seen or now_s - (job.ended_s or now_s) > JOBS_OF_S:
            continue
        seen.add(about)
        if job.state == "failed":
            error = job.error.message if job.error else tr("it does not say why")
            found.append(Concern(f"job {job.id}", True, f"{' '.join(about).strip()}: {error}", Go("jobs")))
    return found


def job_subject(job: Job) -> str:
    """Return what a job is about: a model, most of the time."""
    found = (job.arguments.get(key) for key in ("model", "batch", "candidate"))
    return str(next((each for each in found if each), ""))
