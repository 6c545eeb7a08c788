"""Reads a call whose arguments are an object with bare keys, and with texts between quotes of the family's own."""

from .names import MAX_HEADER_CHARACTERS, is_name
from .pieces import Pieces
from .scanner import Reading, Scanner
from .syntax import BracedShape
from .values import TextEscaper, as_json, to_json

_MAX_DEPTH = 64


class BracedCall:
    """One call."""

    def __init__(self, scanner: Scanner, pieces: Pieces, shape: BracedShape) -> None:
        self._scanner = scanner
        self._pieces = pieces
        self._shape = shape

    def read(self) -> Reading[bool]:
        """Read it; return whether it is a call."""
        scanner = self._scanner
        yield from scanner.skip_spaces()
        if not (yield from scanner.take(self._shape.before)):
            return False
        start = scanner.mark()
        found = yield from scanner.until(["{"], MAX_HEADER_CHARACTERS)
        if found is None or not is_name(found[0].strip()):
            return False
        scanner.rewind(start + len(found[0]))
        scanner.release()
        self._pieces.begin_call(found[0].strip())
        yield from self._value(_MAX_DEPTH)
        return True

    def _value(self, depth: int) -> Reading[bool]:
        """Pass a value on as JSON; return whether it came to its end."""
        scanner, argue = self._scanner, self._pieces.argue
        yield from scanner.skip_spaces()
        if (yield from scanner.take(self._shape.quote)):
            return (yield from self._text())
        character = yield from scanner.peek()
        if character == '"':
            return (yield from scanner.value(argue))
        if character and character in "{[":
            return depth > 0 and (yield from self._container(depth - 1, character))
        word = yield from scanner.word(",}]<")
        argue(as_json(word, None))
        return True

    def _text(self) -> Reading[bool]:
        scanner, argue = self._scanner, self._pieces.argue
        argue('"')
        escaper = TextEscaper(argue)
        closed = yield from scanner.pour([self._shape.quote], escaper.write, holds_spaces=False)
        if closed:
            argue('"')
        else:
            escaper.write(scanner.rest())
        return bool(closed)

    def _container(self, depth: int, opening: str) -> Reading[bool]:
        scanner, argue = self._scanner, self._pieces.argue
        closing = "}" if opening == "{" else "]"
        yield from scanner.take(opening)
        argue(opening)
        separator = ""
        while True:
            yield from scanner.skip_spaces()
            if (yield from scanner.take(closing)):
                argue(closing)
                return True
            if separator and not (yield from scanner.take(",")):
                return False
            argue(separator)
            separator = ", "
            if opening == "{" and not (yield from self._key()):
                return False
            if not (yield from self._value(depth)):
                return False

    def _key(self) -> Reading[bool]:
        found = yield from self._scanner.until([":"], MAX_HEADER_CHARACTERS)
        if found is None:
            return False
        key = found[0].strip()
        for quote in (self._shape.quote, '"'):
            key = key.removeprefix(quote).removesuffix(quote)
        self._pieces.argue(f"{to_json(key)}: ")
        return True
