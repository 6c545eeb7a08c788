"""What went wrong before, in a file of its own below `logs/`: a line for each time, newest last, for the doctor.

Written by the daemon alone, read by whoever examines the machine.
"""

import logging
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

MAX_LINES = 200

_log = logging.getLogger(__name__)

T = TypeVar("T")


class RecordFile(Generic[T]):
    """Keeps the last lines. What cannot be written is not kept, and lines that cannot be read are left out."""

    def __init__(self, path: Path, type_: type[T]) -> None:
        self._path = path
        self._type = type_

    def append(self, line: T) -> None:
        """Write a line down."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lines = [*self._lines()[1 - MAX_LINES :], msgspec.json.encode(line)]
            self._path.write_bytes(b"".join(each + b"\n" for each in lines))
        except OSError as error:  # a full disk must not stop the daemon that has trouble enough
            _log.warning("%s cannot be written: %s", self._path, error)

    def read(self) -> tuple[T, ...]:
        """Return what was written down, the oldest first."""
        found = []
        for line in self._lines():
            try:
                found.append(msgspec.json.decode(line, type=self._type))
            except msgspec.MsgspecError:
                continue
        return tuple(found)

    def _lines(self) -> list[bytes]:
        try:
            return self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
