"""The record of models that were computed elsewhere than planned: `logs/devices.jsonl`, for the doctor.

A load as planned is written down only behind one that was not: the trouble is over then.
"""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from appliance.core.events import ModelPlaced, SystemEvent

from .record_file import RecordFile


class Fallback(msgspec.Struct, frozen=True, kw_only=True):
    """At `time_s` (Unix time) a model was loaded on `device`, not as it was `planned`; None: it was well again."""

    time_s: float
    model: str
    planned: str
    device: str
    problem: str | None


class FallbackLog:
    """Writes down each load that went elsewhere, and the first that did not any more."""

    def __init__(self, home: Path, now_s: Callable[[], float] = time.time) -> None:
        self._file = RecordFile(path_of(home), Fallback)
        self._now_s = now_s

    def observe(self, event: SystemEvent) -> None:
        """Write down where a model went, if there is anything to say."""
        if not isinstance(event, ModelPlaced):
            return
        before = last_of_each(self._file.read()).get(event.model)
        if event.placed.problem is None and (before is None or before.problem is None):
            return
        self._file.append(
            Fallback(
                time_s=self._now_s(),
                model=event.model,
                planned=event.planned,
                device=event.placed.device,
                problem=event.placed.problem,
            )
        )


def last_of_each(records: tuple[Fallback, ...]) -> dict[str, Fallback]:
    """Return the newest record of each model."""
    return {record.model: record for record in records}


def read_fallbacks(home: Path) -> tuple[Fallback, ...]:
    """Return what was written down, the oldest first."""
    return RecordFile(path_of(home), Fallback).read()


def path_of(home: Path) -> Path:
    """Return where the record lies."""
    return home / "logs" / "devices.jsonl"
