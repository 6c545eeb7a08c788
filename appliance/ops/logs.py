"""The daemon's log: standard logging, one line per fact. Prompts, outputs and keys never enter it."""

import logging
import sys
from typing import TextIO

_COLOURS = {logging.WARNING: "\x1b[33m", logging.ERROR: "\x1b[31m", logging.CRITICAL: "\x1b[31m"}
_RESET = "\x1b[0m"


class _Formatter(logging.Formatter):
    """One line: time, level, message. The journal has its own clock but a file has not, so the time is always there."""

    def __init__(self, *, has_colours: bool) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S")
        self._has_colours = has_colours

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        colour = _COLOURS.get(record.levelno) if self._has_colours else None
        return f"{colour}{line}{_RESET}" if colour else line


def set_up_logging(level: str, stream: TextIO = sys.stderr) -> None:
    """Send everything from `level` up to `stream`; of the libraries, only warnings."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Formatter(has_colours=stream.isatty()))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    set_level(level)


def set_level(level: str) -> None:
    """Let our own log say everything from `level` up, from now on."""
    for name in ("appliance", "models"):
        logging.getLogger(name).setLevel(level.upper())
