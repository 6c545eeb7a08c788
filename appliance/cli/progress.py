"""Progress of long work: a bar on a terminal, lines elsewhere, JSON lines for programs."""

import sys
from collections.abc import Iterator

from appliance.core.admin import Done, InstalledModel, Progress
from appliance.core.units import format_bytes

from .output import print_json, printable

LINE_STEP_RATIO = 0.1


def show_progress(events: Iterator[Progress | Done], *, is_json: bool) -> InstalledModel:
    """Show the events as they come and return the model that the last one brings.

    With `is_json` every event is a line on standard output, else progress goes to standard error.
    """
    if is_json:
        return _show_json(events)
    return _show_bar(events) if sys.stderr.isatty() else _show_lines(events)


def _show_json(events: Iterator[Progress | Done]) -> InstalledModel:
    for event in events:
        print_json(event)
        if isinstance(event, Done):
            return event.model
    raise AssertionError("a stream of progress ends with Done or raises")


def _show_lines(events: Iterator[Progress | Done]) -> InstalledModel:
    shown_text, shown_ratio = "", 0.0
    for event in events:
        if isinstance(event, Done):
            return event.model
        ratio = event.done / event.total if event.total else 0.0
        if event.text != shown_text or ratio >= shown_ratio + LINE_STEP_RATIO:
            print(f"{printable(event.text)}: {_amount(event)}", file=sys.stderr, flush=True)
            shown_text, shown_ratio = event.text, ratio
    raise AssertionError("a stream of progress ends with Done or raises")


def _show_bar(events: Iterator[Progress | Done]) -> InstalledModel:
    # Imported here: rich takes longer to import than most commands run.
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[amount]}"))
    with Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, amount="")
        for event in events:
            if isinstance(event, Done):
                return event.model
            text, amount = printable(event.text), _amount(event)
            bar.update(task, description=text, completed=event.done, total=event.total, amount=amount)
    raise AssertionError("a stream of progress ends with Done or raises")


def _amount(event: Progress) -> str:
    if event.unit == "bytes":
        return format_bytes(event.done) + (f" of {format_bytes(event.total)}" if event.total else "")
    return f"{event.done / event.total:.0%}" if event.total else f"{event.done:.0%}"
