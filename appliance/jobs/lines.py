"""Bytes of a child process as lines: what it says to us, and the end of what it says to nobody. Pure."""

from collections import deque

import msgspec

from appliance.core.jobs import ChildEvent

MAX_LINE_BYTES = 2**20
MAX_LOG_LINES = 40
MAX_LOG_LINE_CHARACTERS = 400

_EVENTS: msgspec.json.Decoder[ChildEvent] = msgspec.json.Decoder(ChildEvent)


class LineSplitter:
    """Turns bytes, cut anywhere, into whole lines. Of a line past the limit only the beginning is kept."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_too_long = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that `data` completes."""
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = self._rest + (b"" if self._is_too_long else lines[0])
            self._rest, self._is_too_long = b"", False
        if not self._is_too_long:
            self._rest += rest
        if len(self._rest) > MAX_LINE_BYTES:
            self._rest, self._is_too_long = self._rest[:MAX_LINE_BYTES], True
        return lines

    def finish(self) -> bytes:
        """Return what came after the last line."""
        return self._rest


class LogTail:
    """The last lines of a log; what a terminal would draw over itself counts as lines, too."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=MAX_LOG_LINES)

    def add(self, line: bytes) -> None:
        """Add a line that may hold anything."""
        # A progress bar of a library ends its lines with a carriage return: only its last state matters
        text = line.rstrip().rpartition(b"\r")[2].decode(errors="replace").rstrip()
        if text:
            self._lines.append(text[:MAX_LOG_LINE_CHARACTERS])

    @property
    def lines(self) -> tuple[str, ...]:
        """Return the lines, the oldest first."""
        return tuple(self._lines)


def read_event(line: bytes) -> ChildEvent | None:
    """Return what a line of the child's standard output says, None when it is not ours."""
    try:
        return _EVENTS.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
