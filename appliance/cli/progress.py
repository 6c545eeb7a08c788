"""Progress of long work: a bar on a terminal, lines elsewhere, JSON lines for programs."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from appliance.core.admin import Done, InstalledModel, Progress
from appliance.core.jobs import JobProgress
from appliance.core.units import format_bytes, format_seconds
from appliance.words import tr

from .output import print_json, printable

LINE_STEP_RATIO = 0.1
Step = Progress | JobProgress
Show = Callable[[Step], None]


def show_progress(events: Iterator[Progress | Done], *, is_json: bool) -> InstalledModel:
    """Show the events as they come and return the model that the last one brings.

    With `is_json` every event is a line on standard output, else progress goes to standard error.
    """
    with meter(is_json=is_json) as show:
        for event in events:
            if isinstance(event, Done):
                if is_json:
                    print_json(event)
                return event.model
            show(event)
    raise AssertionError("a stream of progress ends with Done or raises")


@contextmanager
def meter(*, is_json: bool) -> Iterator[Show]:
    """Give a function that shows one step of long work in the way that fits the reader."""
    if is_json:
        yield print_json
    elif sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _lines()


def _lines() -> Show:
    shown_text, shown_ratio = "", 0.0

    def show(step: Step) -> None:
        nonlocal shown_text, shown_ratio
        ratio = step.done / step.total if step.total else 0.0
        if step.text != shown_text or ratio >= shown_ratio + LINE_STEP_RATIO:
            amount = _amount(step)
            print(printable(step.text) + (f": {amount}" if amount else ""), file=sys.stderr, flush=True)
            shown_text, shown_ratio = step.text, ratio

    return show


@contextmanager
def _bar() -> Iterator[Show]:
    # Imported here: rich takes longer to import than most commands run.
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[amount]}"))
    with Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, amount="")

        def show(step: Step) -> None:
            amount = _amount(step, says_left=False)  # the bar has a column for that
            bar.update(task, description=printable(step.text), completed=step.done, total=step.total, amount=amount)

        yield show


def _amount(step: Step, *, says_left: bool = True) -> str:
    """Return how far the step is, nothing for one that cannot tell."""
    if step.unit == "bytes":
        part = format_bytes(step.done)
        parts = [tr("{part} of {whole}", part=part, whole=format_bytes(step.total)) if step.total else part]
        if isinstance(step, JobProgress) and step.rate is not None:
            parts.append(f"{format_bytes(step.rate)}/s")
            if says_left and step.left_s is not None:
                parts.append(tr("{time} left", time=format_seconds(max(1, round(step.left_s)))))
        return ", ".join(parts)
    if step.unit != "ratio":
        part = f"{step.done:.0f}"
        done = tr("{part} of {whole}", part=part, whole=f"{step.total:.0f}") if step.total else part
        num_failed = step.num_failed if isinstance(step, JobProgress) else 0
        failed = tr(", {number} failed", number=num_failed) if num_failed else ""
        return f"{done} {printable(step.unit)}{failed}"
    return f"{step.done / step.total:.0%}" if step.total else ""
