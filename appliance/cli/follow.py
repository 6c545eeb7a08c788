"""A job followed from the command line: its progress, its end, and how to come back to it after Ctrl-C."""

import sys

from appliance.client import Client
from appliance.core.jobs import Job
from appliance.core.units import format_seconds
from appliance.words import tr

from .comparison import comparison_of, comparison_text
from .context import Context
from .exits import DONE, FAILED, INTERRUPTED
from .made import loss_in_words, model_made_by
from .output import print_json, printable
from .progress import meter

MAX_LOG_LINES = 10
DETACHED = """\
the job goes on without you
  follow it: appliance jobs follow {id}
  cancel it: appliance jobs cancel {id}\
"""


def follow(context: Context, client: Client, job: Job) -> int:
    """Show the job until it has ended and return the exit code. Ctrl-C leaves the job alone."""
    try:
        ended = _watch(context, client, job)
    except KeyboardInterrupt:
        print(tr(DETACHED, id=job.id), file=sys.stderr)
        return INTERRUPTED
    if not context.is_json:
        _tell_end(ended)
    return DONE if ended.state == "done" else FAILED


def _watch(context: Context, client: Client, job: Job) -> Job:
    shown_state = ""
    with meter(is_json=False) as show:
        for news in client.follow_job(job.id):
            job = news
            if context.is_json:
                print_json(job)
            elif job.state == "running" and job.progress.text:
                show(job.progress)
            elif job.state != shown_state and job.state in ("queued", "paused"):
                print(tr("{id} is {state}", id=job.id, state=tr(job.state)), file=sys.stderr)
            shown_state = job.state
    return job


def _notes(job: Job) -> list[str]:
    """Return what a job found worth knowing beside its end."""
    notes = (job.result or {}).get("notes")
    return [str(note) for note in notes] if isinstance(notes, list) else []


def _tell_end(job: Job) -> None:
    took = "" if job.duration_s is None else tr(" after {time}", time=format_seconds(job.duration_s))
    if job.error is None:
        print(tr("{id} is {state}{took}", id=job.id, state=tr(job.state), took=took))
        for known in _notes(job):
            print(f"  {printable(known)}")
        if comparison := comparison_of(job):
            print(comparison_text(comparison))
        elif note := (job.result or {}).get("note"):
            print(printable(str(note)))
        elif made := model_made_by(job):
            loss = "" if made.quality is None else f", {loss_in_words(made.quality)}"
            print(tr("it made '{model}'{loss}; see: appliance models show {model}", model=made.model, loss=loss))
        return
    for line in job.error.log[-MAX_LOG_LINES:]:
        print(f"  {printable(line)}", file=sys.stderr)
    failed = tr("{id} failed{took}", id=job.id, took=took)
    print(f"{failed}: {printable(job.error.message)}", file=sys.stderr)
