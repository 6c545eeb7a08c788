"""Reads an answer in which each message says in a header which channel it belongs to and whom it is for (harmony).

What is in the analysis channel is thought, a message to a function is a call, and all else is said.
Source: OpenAI, "OpenAI Harmony Response Format", 2025.
"""

import re

from .calls import CallReader
from .names import MAX_HEADER_CHARACTERS
from .pieces import Pieces
from .scanner import Reading, Scanner, Sink

CHANNEL_MARKERS = ("<|start|>", "<|channel|>", "<|constrain|>", "<|message|>", "<|end|>", "<|return|>", "<|call|>")

_HEADER_BEGINNINGS = ("<|start|>", "<|channel|>", " to=", "to=")
_BODY_ENDS = ("<|end|>", "<|return|>", "<|call|>", "<|start|>", "<|channel|>")
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)")
_RECIPIENT = re.compile(r"to=([^\s<]+)")
_PARAGRAPH = "\n\n"


class ChannelReader:
    """One answer. Without a header it is said from its first character on."""

    def __init__(self, scanner: Scanner, pieces: Pieces, reader: CallReader, *, has_tools: bool) -> None:
        self._scanner = scanner
        self._pieces = pieces
        self._reader = reader
        self._has_tools = has_tools
        self._has_thought = False

    def read(self) -> Reading[None]:
        """Read the answer up to its end, or up to its first call where no other is wanted."""
        scanner = self._scanner
        while not self._pieces.is_done:
            header = yield from self._header()
            if header is None:
                return
            marker = yield from self._body(header)
            if not marker:
                return
            if marker in _HEADER_BEGINNINGS:
                scanner.unread(len(marker))

    def _header(self) -> Reading[str | None]:
        """Return the header, "" where the text begins without one; None at the end of the answer."""
        scanner = self._scanner
        place = scanner.mark()
        begins = yield from scanner.take_any(_HEADER_BEGINNINGS)
        scanner.rewind(place)
        found = (yield from scanner.until(["<|message|>"], MAX_HEADER_CHARACTERS)) if begins else None
        scanner.release()
        if found is not None:
            return found[0]
        if not (yield from scanner.peek()) or (begins and scanner.is_over):
            return None
        if begins:  # far too long for a header
            yield from scanner.take(begins)
        return ""

    def _body(self, header: str) -> Reading[str]:
        """Read a message; return the marker that ends it, "" at the end of the answer."""
        scanner, pieces = self._scanner, self._pieces
        channel, recipient = _CHANNEL.search(header), _RECIPIENT.search(header)
        if self._has_tools and recipient is not None:
            is_call = yield from self._reader.arguments(recipient[1].removeprefix("functions."))
            if is_call:
                pieces.end_call()
                return "" if pieces.is_done else (yield from scanner.pour(_BODY_ENDS, pieces.say))
        pieces.is_thinking = channel is not None and channel[1] == "analysis"
        sink = self._paragraph()
        marker = yield from scanner.pour(_BODY_ENDS, sink, holds_spaces=pieces.is_thinking)
        if not marker:
            sink(scanner.rest())
            return ""
        pieces.is_thinking = False
        return marker

    def _paragraph(self) -> Sink:
        """Return what takes the text of one message in, apart from that of an earlier one."""
        pieces, is_first = self._pieces, True

        def write(text: str) -> None:
            nonlocal is_first
            if not text:
                return
            is_followed = self._has_thought if pieces.is_thinking else pieces.has_said
            text = _PARAGRAPH + text if is_first and is_followed else text
            is_first = False
            if pieces.is_thinking:
                self._has_thought = True
                pieces.think(text)
            else:
                pieces.say(text)

        return write
