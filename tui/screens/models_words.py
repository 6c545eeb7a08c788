"""How numbers and work are told beside a model: sizes, speeds, how far a job is. Pure text."""

from appliance.core.jobs import Job, JobProgress
from appliance.core.units import format_bytes
from appliance.words import tr
from tui.widgets.figures import UNKNOWN

from .jobs_rows import brief

_WORK = {
    "pull": "fetching",
    "quantize": "quantizing",
    "convert": "converting",
    "compile": "compiling",
    "tune": "tuning",
    "calibrate": "measuring speed",
    "evaluate": "comparing types",
    "scrub": "verifying",
}
_STATES = {"queued": "waiting", "paused": "paused", "failed": "failed"}


def size(num_bytes: float | None) -> str:
    """Return a size."""
    return UNKNOWN if num_bytes is None else format_bytes(num_bytes)


def speed(tokens_per_s: float | None) -> str:
    """Return a speed without its unit."""
    if tokens_per_s is None:
        return UNKNOWN
    return f"{tokens_per_s:,.0f}" if tokens_per_s >= 10 else f"{tokens_per_s:.1f}"


def count(number: float | None) -> str:
    """Return a large number in short: `1.1M`, `596M`, `7.6B`."""
    if number is None:
        return UNKNOWN
    for unit in ("", "K", "M"):
        if number < 999.5:
            return f"{number:.3g}{unit}"
        number /= 1000
    return f"{number:.3g}B"


def ratio_of(job: Job) -> float | None:
    """Return how far a job is, None where that cannot be told."""
    return job.progress.done / job.progress.total if job.progress.total else None


def work(job: Job) -> str:
    """Return what a job does, in a word or two."""
    return tr(_WORK.get(job.kind, job.kind))


def job_state(job: Job) -> str:
    """Return what a job does now: that it waits, stands still or has failed, else its work."""
    return tr(_STATES[job.state]) if job.state in _STATES else work(job)


def job_line(job: Job) -> str:
    """Return all that is to be told of a job in one line."""
    if job.state == "failed":
        return tr("{work} failed: {reason}", work=work(job), reason=job.error.message if job.error else UNKNOWN)
    parts = [work(job) if job.state == "running" else f"{work(job)}, {job_state(job)}", *_amounts(job.progress)]
    if job.state == "running":
        if job.progress.rate is not None and job.progress.unit == "bytes":
            parts.append(f"{format_bytes(job.progress.rate)}/s")
        if job.progress.left_s is not None:
            parts.append(tr("{time} left", time=brief(max(1.0, job.progress.left_s))))
    return "  ".join(parts)


def _amounts(progress: JobProgress) -> list[str]:
    if progress.unit == "bytes" and progress.total:
        return [tr("{done} of {all}", done=format_bytes(progress.done), all=format_bytes(progress.total))]
    text = [progress.text] if progress.text else []
    if not progress.total:
        return text
    if progress.unit == "ratio":
        return [*text, f"{progress.done / progress.total:.0%}"]
    return [*text, f"{progress.done:.0f} / {progress.total:.0f} {progress.unit}"]
