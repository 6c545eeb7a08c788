"""The record of when a device ran out of memory and what was given up for it: `logs/memory.jsonl`, for the doctor.

One line for each measure, newest last. Written by the daemon alone, read by whoever examines the machine.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from appliance.core.events import MemoryRanShort, SystemEvent

MAX_LINES = 200

_log = logging.getLogger(__name__)


class Shortage(msgspec.Struct, frozen=True, kw_only=True):
    """At `time_s` (Unix time) a model's device had no memory left; `measure` says how it went on."""

    time_s: float
    model: str
    measure: str


class ShortageLog:
    """Writes down each shortage that is published."""

    def __init__(self, home: Path, now_s: Callable[[], float] = time.time) -> None:
        self._path = path_of(home)
        self._now_s = now_s

    def observe(self, event: SystemEvent) -> None:
        """Write a shortage down; everything else is not looked at."""
        if isinstance(event, MemoryRanShort):
            self._append(Shortage(time_s=self._now_s(), model=event.model, measure=event.measure))

    def _append(self, shortage: Shortage) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lines = [*_lines(self._path)[1 - MAX_LINES :], msgspec.json.encode(shortage)]
            self._path.write_bytes(b"".join(line + b"\n" for line in lines))
        except OSError as error:  # a full disk must not stop the daemon that is short of memory, too
            _log.warning("%s cannot be written: %s", self._path, error)


def read_shortages(home: Path) -> tuple[Shortage, ...]:
    """Return what was written down, the oldest first. Lines that cannot be read are left out."""
    found = []
    for line in _lines(path_of(home)):
        try:
            found.append(msgspec.json.decode(line, type=Shortage))
        except msgspec.MsgspecError:
            continue
    return tuple(found)


def path_of(home: Path) -> Path:
    """Return where the record lies."""
    return home / "logs" / "memory.jsonl"


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
