"""All that is known of one piece of work, as a text to read: what was asked, how it went, what came of it."""

from collections.abc import Iterator
from datetime import datetime

import msgspec
from textual.content import Content

from appliance.core.jobs import Job, JsonObject
from appliance.core.quantized import Comparison
from appliance.words import tr

from .jobs_rows import CHOICES, SIGNS, Work, amount

_LABEL = "$foreground 60%"


def details(work: Work) -> Content:
    """Return the text."""
    known = facts(work)
    width = max(len(label) for label, _ in known)
    lines = [Content.assemble((label.ljust(width), _LABEL), "  ", text) for label, text in known]
    error = Content("") if work.of.error is None else Content.styled(work.of.error.message, "$error")
    parts = [error, Content("\n").join(lines), *_outcome(work)]
    return Content("\n\n").join(part for part in parts if part.plain)


def facts(work: Work) -> list[tuple[str, str]]:
    """Return what was asked for, by whom and when, as labels and values."""
    return [*_facts(work), *_times(work)]


def comparison_of(job: Job) -> Comparison | None:
    """Return what a job measured of several types of a model, None for one that measured nothing of the kind."""
    result = job.result or {}
    try:
        return msgspec.convert(result.get("comparison", result), Comparison)
    except msgspec.ValidationError:
        return None


def _facts(work: Work) -> Iterator[tuple[str, str]]:
    yield tr("id"), work.id
    yield tr("kind"), work.kind
    yield tr("state"), f"{SIGNS[work.state][0]} {tr(work.state)}"
    progress = ", ".join(filter(None, (work.progress.text, amount(work.progress))))
    if progress and work.state in CHOICES["open"]:
        yield tr("progress"), progress
    if isinstance(work.of, Job):
        yield tr("asked for by"), work.caller
        for key, value in work.of.arguments.items():
            if value is not None:
                yield key, _in_a_word(value)
    else:
        yield tr("model"), work.of.model
        yield tr("tries"), str(work.of.num_tries)


def _times(work: Work) -> Iterator[tuple[str, str]]:
    of = work.of
    started_s, ended_s = (of.started_s, of.ended_s) if isinstance(of, Job) else (of.started_at, of.ended_at)
    for label, time_s in ((tr("created"), work.created_s), (tr("started"), started_s), (tr("ended"), ended_s)):
        if time_s is not None:
            yield label, f"{datetime.fromtimestamp(time_s):%Y-%m-%d %H:%M:%S}"


def _outcome(work: Work) -> Iterator[Content]:
    if not isinstance(work.of, Job):
        for prediction in work.of.result.predictions if work.of.result else ():
            yield Content(prediction.text)
        return
    if work.of.error is not None:
        yield Content.styled("\n".join(work.of.error.log), _LABEL)
    if work.of.result:
        yield Content(_in_lines(work.of.result))


def _in_lines(values: JsonObject) -> str:
    return "\n".join(f"{key}: {_in_a_word(value)}" for key, value in values.items() if value is not None)


def _in_a_word(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
