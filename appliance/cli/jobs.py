"""`appliance jobs`: the long work that the daemon does, one job after the other."""

import argparse
from collections.abc import Callable
from datetime import datetime

import msgspec

from appliance.client import Client
from appliance.core.jobs import Job, JsonObject
from appliance.core.units import format_seconds
from appliance.words import tr

from .arguments import Group, Run, add_command, add_parser, add_verb
from .comparison import comparison_of, comparison_text
from .context import Context
from .exits import DONE
from .follow import follow
from .made import loss_facts, model_made_by
from .output import fields, print_json, printable, table

DESCRIPTION = """
List, follow, pause and cancel the daemon's jobs: downloads, conversions and other work that takes long.

A job goes on when this command ends, and after a crash or a restart of the daemon it is run again.
"""
_ID = "job-3f2a9c41d07b"
HEADERS = ("ID", "KIND", "OF", "STATE", "PROGRESS", "CREATED")


def register(group: Group) -> None:
    """Add the group and its commands."""
    examples = """
    appliance jobs list
    appliance jobs follow job-3f2a9c41d07b
    """
    parser = add_parser(group, "jobs", "list, follow, pause and cancel long work", DESCRIPTION, examples)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    description = "List the jobs that wait and run, and the newest that have ended."
    add_command(commands, "list", _list, "list the jobs", description, "appliance jobs list --json")
    add_verb(commands, "job", _ID, "show", _show, "show what is known of a job", "Show what is known of a job.")
    description = "Show a job's progress until it has ended. Ctrl-C ends only the showing."
    add_verb(commands, "job", _ID, "follow", _follow, "show a job's progress until its end", description)
    description = "Give a job up and delete what it has written. What has ended cannot be cancelled."
    add_verb(commands, "job", _ID, "cancel", _verb(Client.cancel_job), "give a job up", description)
    description = "Halt a job where it is, or keep it from starting. Another job may run meanwhile."
    add_verb(commands, "job", _ID, "pause", _verb(Client.pause_job), "halt a job", description)
    description = "Let a paused job go on as soon as no other runs."
    add_verb(commands, "job", _ID, "resume", _verb(Client.resume_job), "let a paused job go on", description)


def _verb(action: Callable[[Client, str], Job]) -> Run:
    def run(arguments: argparse.Namespace, context: Context) -> int:
        job = action(context.client(), arguments.id)
        if context.is_json:
            print_json(job)
        else:
            print(tr("{id} is {state}", id=job.id, state=tr(job.state)))
        return DONE

    return run


def _list(arguments: argparse.Namespace, context: Context) -> int:
    jobs = context.client().jobs()
    if context.is_json:
        print_json(jobs)
    elif jobs:
        print(table(HEADERS, map(_row, jobs)))
    else:
        print(tr("there is no job"))
    return DONE


def _row(job: Job) -> tuple[str, ...]:
    return (job.id, job.kind, _subject(job), tr(job.state), _progress(job), _time(job.created_s) or "")


def _follow(arguments: argparse.Namespace, context: Context) -> int:
    client = context.client()
    return follow(context, client, client.job(arguments.id))


def _show(arguments: argparse.Namespace, context: Context) -> int:
    job = context.client().job(arguments.id)
    if context.is_json:
        print_json(job)
        return DONE
    comparison = comparison_of(job)
    print(fields(_facts(job)))
    if comparison is not None:
        print(comparison_text(comparison))
    for line in job.error.log if job.error else ():
        print(f"  {printable(line)}")
    return DONE


def _facts(job: Job) -> list[tuple[str, str | None]]:
    facts = [
        ("id", job.id),
        ("kind", job.kind),
        ("state", tr(job.state)),
        ("progress", _progress(job)),
        ("asked for by", job.caller),
        ("arguments", _in_words(job.arguments)),
        ("created", _time(job.created_s)),
        ("started", _time(job.started_s) or tr("not yet")),
        ("ended", _time(job.ended_s) or tr("not yet")),
    ]
    if job.error is not None:
        facts.append(("error", job.error.message))
    if made := model_made_by(job):
        return [*facts, ("made", made.model), *loss_facts(made.quality)]
    if comparison_of(job) is not None:
        return facts
    return facts if job.result is None else [*facts, ("result", _in_words(job.result))]


def _in_words(values: JsonObject) -> str:
    """Return what a JSON object says, leaving out what it leaves open; objects within it are for `--json`."""
    return ", ".join(f"{key} {_in_a_word(value)}" for key, value in values.items() if value is not None) or "none"


def _in_a_word(value: object) -> str:
    if isinstance(value, dict):
        return "{…}"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _subject(job: Job) -> str:
    """Return what the job works on; of a path the last part."""
    subject = next((found for key in ("model", "batch", "candidate") if (found := job.arguments.get(key))), "-")
    return printable(str(subject)).rstrip("/").rpartition("/")[2]


def _progress(job: Job) -> str:
    """Return how far a job is, or how long one took that has ended."""
    counts = _counts(job)
    if job.ended_s is not None:
        took = None if job.duration_s is None else tr("took {time}", time=format_seconds(job.duration_s))
        return ", ".join(filter(None, (counts, took))) or "-"
    ratio = f" {job.progress.done / job.progress.total:.0%}" if job.progress.total and not counts else ""
    left_s = job.progress.left_s if job.state == "running" else None
    left = None if left_s is None else tr("{time} left", time=format_seconds(max(1, round(left_s))))
    return ", ".join(filter(None, ((job.progress.text + ratio).strip(), counts, left))) or "-"


def _counts(job: Job) -> str | None:
    """Return how many of its requests a batch has asked, and how many of them in vain; None for another job."""
    progress = job.progress
    if progress.unit != "requests" or not progress.total:
        return None
    asked = tr("{done:.0f} of {total:.0f} requests", done=progress.done, total=progress.total)
    return asked + (tr(", {number} failed", number=progress.num_failed) if progress.num_failed else "")


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M}"
