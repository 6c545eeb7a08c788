"""Text that comes in pieces, read as if it were whole: the primitives are generators that pause where it ends for now.

What a reader finds does not depend on where the pieces are cut, because nothing is decided before the characters that
decide it are there. Knows JSON's outline and nothing of families or calls.
"""

import json
import re
from collections.abc import Callable, Generator, Sequence
from functools import lru_cache
from typing import TypeVar

_T = TypeVar("_T")
Reading = Generator[None, None, _T]
"""A step of reading: pauses while more text is needed, then returns what was read."""

Sink = Callable[[str], None]

_SPACES = re.compile(r"\s*")
_OUTSIDE = re.compile(r"[\s\w+\-.,:]*")
_INSIDE = re.compile(r'[^"\\]*')


class Scanner:
    """The text and the place in it. Between `mark` and `release` everything is kept, so that a reader can `rewind`."""

    def __init__(self) -> None:
        self._text = ""
        self._at = 0
        self._is_marked = False
        self.is_over = False
        self.spaces = ""

    def feed(self, text: str) -> None:
        """Add text at the end."""
        if self._at and not self._is_marked:
            self._text, self._at = self._text[self._at :], 0
        self._text += text

    def mark(self) -> int:
        """Keep everything from here on; return the place for `rewind`."""
        self._is_marked = True
        return self._at

    def rewind(self, place: int) -> None:
        """Read again from a marked place."""
        self._at = place

    def release(self) -> None:
        """Forget the mark."""
        self._is_marked = False

    def since(self, place: int) -> str:
        """Return what was read since a marked place."""
        return self._text[place : self._at]

    def rest(self) -> str:
        """Read all that is there."""
        text, self._at = self._text[self._at :], len(self._text)
        return text

    def unread(self, count: int) -> None:
        """Go back by so many characters, which were read last."""
        self._at -= count

    def peek(self) -> Reading[str]:
        """Return the next character without reading it, "" at the end."""
        while self._at >= len(self._text) and not self.is_over:
            yield
        return self._text[self._at : self._at + 1]

    def skip_spaces(self) -> Reading[None]:
        """Read spaces and line ends up to another character or the end."""
        while True:
            found = _SPACES.match(self._text, self._at)
            assert found is not None
            self._at = found.end()
            if self._at < len(self._text) or self.is_over:
                return
            yield

    def take(self, literal: str) -> Reading[bool]:
        """Read the literal if it comes next."""
        while True:
            ahead = self._text[self._at : self._at + len(literal)]
            if ahead == literal:
                self._at += len(literal)
                return True
            if self.is_over or not literal.startswith(ahead):
                return False
            yield

    def take_any(self, literals: Sequence[str]) -> Reading[str]:
        """Read the first of the literals that comes next; return it, or ""."""
        for literal in literals:
            if (yield from self.take(literal)):
                return literal
        return ""

    def until(self, markers: Sequence[str], max_characters: int) -> Reading[tuple[str, str] | None]:
        """Read up to the first of the markers and behind it; return the text before it and the marker.

        None where the end or `max_characters` come first; nothing was read then.
        """
        pattern = _any_of(tuple(markers))
        while True:
            found = pattern.search(self._text, self._at)
            if found is not None and found.start() - self._at <= max_characters:
                text, self._at = self._text[self._at : found.start()], found.end()
                return text, found[0]
            if (
                found is not None
                or self.is_over
                or len(self._text) - self._at > max_characters + max(map(len, markers))
            ):
                return None
            yield

    def pour(self, markers: Sequence[str], sink: Sink, *, holds_spaces: bool = True) -> Reading[str]:
        """Pass text on up to the first of the markers, and read that; return it, "" at the end.

        What may become a marker waits. So do spaces, if `holds_spaces`: those right before a marker are not passed on,
        but put into `spaces`.
        """
        pattern, is_begun = _any_of(tuple(markers)), _beginning_of(tuple(markers))
        while True:
            found = pattern.search(self._text, self._at)
            if found is not None:
                text = self._text[self._at : found.start()]
                passed = text.rstrip() if holds_spaces else text
                self.spaces = text[len(passed) :]
                sink(passed)
                self._at = found.end()
                return found[0]
            if self.is_over:
                return ""
            begun = is_begun.search(self._text, self._at)
            safe = self._text[self._at : begun.start() if begun else len(self._text)]
            if holds_spaces:
                safe = safe.rstrip()
            if safe:
                sink(safe)
                self._at += len(safe)
            yield

    # JSON

    def string(self) -> Reading[str | None]:
        """Read a JSON string and return what it stands for; None if there is none."""
        parts: list[str] = []
        if (yield from self.peek()) != '"' or not (yield from self._quoted(parts.append)):
            return None
        try:
            text = str(json.loads("".join(parts), strict=False))
            return text.encode(errors="replace").decode()  # half of a surrogate pair could not be sent on
        except ValueError:
            return None

    def container(self, sink: Sink) -> Reading[bool]:
        """Pass an object or array on, as it is written; return whether it was closed.

        It ends where its brackets do, or at a character that cannot stand outside of JSON's strings.
        """
        depth = 0
        while True:
            start = self._at
            self._at = _end(_OUTSIDE, self._text, start)
            sink(self._text[start : self._at])
            character = yield from self.peek()
            if character == '"':
                if not (yield from self._quoted(sink)):
                    return False
            elif character and character in "{[}]":
                depth += 1 if character in "{[" else -1
                self._pass(1, sink)
                if depth == 0:
                    return True
            elif not character or not _OUTSIDE.fullmatch(character):
                return False

    def value(self, sink: Sink) -> Reading[bool]:
        """Pass any JSON value on."""
        character = yield from self.peek()
        if character == '"':
            return (yield from self._quoted(sink))
        if character and character in "{[":
            return (yield from self.container(sink))
        word = yield from self.word(",}] \n")
        sink(word)
        return bool(word)

    def word(self, ends: str) -> Reading[str]:
        """Read up to one of the characters in `ends`, or the end."""
        start = self._at
        kept, self._is_marked = self._is_marked, True
        while (character := (yield from self.peek())) and character not in ends:
            self._at += 1
        self._is_marked = kept
        return self._text[start : self._at]

    def _quoted(self, sink: Sink) -> Reading[bool]:
        self._pass(1, sink)
        while True:
            start = self._at
            self._at = _end(_INSIDE, self._text, start)
            sink(self._text[start : self._at])
            character = yield from self.peek()
            if not character:
                return False
            if character == '"':
                self._pass(1, sink)
                return True
            if character == "\\":
                while len(self._text) - self._at < 2 and not self.is_over:
                    yield
                self._pass(2, sink)

    def _pass(self, count: int, sink: Sink) -> None:
        sink(self._text[self._at : self._at + count])
        self._at = min(self._at + count, len(self._text))


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return start if found is None else found.end()


@lru_cache(maxsize=256)
def _any_of(markers: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(marker) for marker in sorted(markers, key=len, reverse=True)))


@lru_cache(maxsize=256)
def _beginning_of(markers: tuple[str, ...]) -> re.Pattern[str]:
    """Match the beginning of a marker at the end of a text: `<(t(o(ol?)?)?)?` and so on, anchored."""
    return re.compile(f"(?:{'|'.join(_prefixes(marker[:-1]) for marker in markers)})\\Z")


def _prefixes(text: str) -> str:
    pattern = ""
    for character in reversed(text[1:]):
        pattern = f"(?:{re.escape(character)}{pattern})?"
    return re.escape(text[:1]) + pattern
