"""The inside of a job's child process: reads its order, reports progress, and ends with a result or an error.

The daemon's side is `appliance/jobs/runner.py`; between them go JSON lines, which `core/jobs.py` describes.
"""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NoReturn, TypeVar

import msgspec

from .core.jobs import ChildError, ChildEvent, ChildResult, JobOrder, JobProgress
from .errors import ApplianceError, to_info

PROGRESS_EVERY_S = 0.1
Arguments = TypeVar("Arguments", bound=msgspec.Struct)
Progress = Callable[[str, float, float | None, str], None]
"""`Reporter.progress` as work that knows no job is given it: what is done, how much of it, of how much, the unit."""


class Reporter:
    """What a job's work is given: `folder` to write in, `home` to read in, and a way to say how far it is.

    `settings` are the daemon's for this kind of job, as JSON.
    """

    def __init__(self, events: BinaryIO, home: Path, folder: Path, settings: bytes = b"{}") -> None:
        self.home = home
        self.folder = folder
        self.settings = settings
        self._events = events
        self._said_s = float("-inf")
        self._text = ""

    def progress(self, text: str, done: float = 0.0, total: float | None = None, unit: str = "ratio") -> None:
        """Say how far the work is. Cheap: of many calls a second with the same `text` only some are sent."""
        self.tell(JobProgress(text=text, done=done, total=total, unit=unit))

    def tell(self, progress: JobProgress) -> None:
        """Say all of it at once, as cheaply."""
        now_s = time.monotonic()
        is_whole = progress.done == progress.total
        if progress.text == self._text and now_s < self._said_s + PROGRESS_EVERY_S and not is_whole:
            return
        self._said_s, self._text = now_s, progress.text
        self._send(progress)

    def _send(self, event: ChildEvent) -> None:
        self._events.write(msgspec.json.encode(event) + b"\n")
        self._events.flush()


def run_child(work: Callable[[Arguments, Reporter], msgspec.Struct], arguments: type[Arguments]) -> NoReturn:
    """Be the child process of one job: call `work` and exit. To be called by the main thread of a module's `__main__`.

    `work` returns its result or raises; the message of an ApplianceError is what the operator reads.
    """
    orders, events = _take_pipes()
    order = msgspec.json.decode(orders.readline(), type=JobOrder)
    threading.Thread(target=_die_with_daemon, args=(orders,), daemon=True).start()
    reporter = Reporter(events, Path(order.home), Path(order.folder), bytes(order.settings))
    last: ChildEvent
    try:
        result = work(msgspec.json.decode(order.arguments, type=arguments), reporter)
        last = ChildResult(result=msgspec.to_builtins(result))
    except ApplianceError as error:
        last = ChildError(error=to_info(error))
    except Exception as error:
        traceback.print_exc()
        last = ChildError(error=to_info(ApplianceError(f"{type(error).__name__}: {error}")))
    reporter._send(last)
    sys.exit(0 if isinstance(last, ChildResult) else 1)


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Return the pipes from and to the daemon, out of the way of libraries that print and of programs we start."""
    orders, events = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return orders, events


def _die_with_daemon(orders: BinaryIO) -> None:
    """Wait for the end of the pipe, which is the end of the daemon, and end with everything we started."""
    orders.read()
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
