"""The record of when a device ran out of memory and what was given up for it: `logs/memory.jsonl`, for the doctor."""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from appliance.core.events import MemoryRanShort, SystemEvent

from .record_file import RecordFile


class Shortage(msgspec.Struct, frozen=True, kw_only=True):
    """At `time_s` (Unix time) a model's device had no memory left; `measure` says how it went on."""

    time_s: float
    model: str
    measure: str


class ShortageLog:
    """Writes down each shortage that is published."""

    def __init__(self, home: Path, now_s: Callable[[], float] = time.time) -> None:
        self._file = RecordFile(path_of(home), Shortage)
        self._now_s = now_s

    def observe(self, event: SystemEvent) -> None:
        """Write a shortage down; everything else is not looked at."""
        if isinstance(event, MemoryRanShort):
            self._file.append(Shortage(time_s=self._now_s(), model=event.model, measure=event.measure))


def read_shortages(home: Path) -> tuple[Shortage, ...]:
    """Return what was written down, the oldest first. Lines that cannot be read are left out."""
    return RecordFile(path_of(home), Shortage).read()


def path_of(home: Path) -> Path:
    """Return where the record lies."""
    return home / "logs" / "memory.jsonl"
