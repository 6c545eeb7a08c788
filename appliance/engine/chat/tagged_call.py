"""Reads a call whose arguments stand between tags, as text: what each is in JSON follows from the tool's schema."""

from collections.abc import Mapping
from typing import Any

from appliance.core.request import Tool

from .names import MAX_HEADER_CHARACTERS, is_name
from .pieces import Pieces
from .scanner import Reading, Scanner
from .syntax import TaggedShape
from .values import TextEscaper, as_json, says_text, to_json, type_names

_TEXT = {"type": "string"}


class TaggedCall:
    """One call. `close` is what ends the calls around it."""

    def __init__(
        self, scanner: Scanner, pieces: Pieces, tools: Mapping[str, Tool], shape: TaggedShape, close: str
    ) -> None:
        self._scanner = scanner
        self._pieces = pieces
        self._tools = tools
        self._shape = shape
        self._close = close

    def read(self) -> Reading[bool]:
        """Read it; return whether it is a call."""
        shape, argue = self._shape, self._pieces.argue
        name = yield from self._name()
        if name is None:
            return False
        self._scanner.release()
        self._pieces.begin_call(name)
        argue("{")
        properties = self._tools[name].parameters.get("properties") if name in self._tools else None
        separator = ""
        while True:
            yield from self._scanner.skip_spaces()
            if not (yield from self._scanner.take(shape.key_open)):
                break
            key = yield from self._scanner.until(
                [shape.key_close, shape.text_close or shape.key_close], MAX_HEADER_CHARACTERS
            )
            if key is None:
                return True
            argue(f"{separator}{to_json(key[0].strip())}: ")
            schema = properties.get(key[0].strip()) if isinstance(properties, Mapping) else None
            if not (yield from self._value(_TEXT if key[1] == shape.text_close else schema)):
                return True
            separator = ", "
        is_closed = bool(shape.call_close) and (yield from self._scanner.take(shape.call_close))
        if is_closed or (yield from self._scanner.peek()):
            argue("}")
        return True

    def _name(self) -> Reading[str | None]:
        """Return the name, once it is certain that a call follows; None if none does."""
        scanner, shape = self._scanner, self._shape
        yield from scanner.skip_spaces()
        if shape.name_open and not (yield from scanner.take(shape.name_open)):
            return None
        followers = [literal for literal in (shape.key_open, shape.call_close or self._close) if literal]
        start = scanner.mark()
        found = yield from scanner.until([*shape.name_ends, *followers], MAX_HEADER_CHARACTERS)
        if found is None or not is_name(found[0].strip()):
            return None
        if found[1] not in shape.name_ends:
            scanner.rewind(start + len(found[0]))
        yield from scanner.skip_spaces()
        place = scanner.mark()
        follows = yield from scanner.take_any(followers)
        scanner.rewind(place)
        return found[0].strip() if follows else None

    def _value(self, schema: Any) -> Reading[bool]:
        """Pass a value on as JSON; return whether it came to its end. Text leaves while it comes."""
        scanner, shape, argue = self._scanner, self._shape, self._pieces.argue
        if shape.value_open:
            yield from scanner.skip_spaces()
            if not (yield from scanner.take(shape.value_open)):
                argue('""')
                return False
        ends = [f"\n{shape.value_close}", shape.value_close] if shape.has_lines else [shape.value_close]
        if shape.has_lines:
            yield from scanner.take("\n")
        if not says_text(type_names(schema)):
            parts: list[str] = []
            closed = yield from scanner.pour(ends, parts.append, holds_spaces=False)
            text = "".join(parts) + ("" if closed else scanner.rest())
            argue(as_json(text, type_names(schema)) if closed else text)
            return bool(closed)
        argue('"')
        escaper = TextEscaper(argue)
        closed = yield from scanner.pour(ends, escaper.write, holds_spaces=False)
        if closed:
            argue('"')
        else:
            escaper.write(scanner.rest())
        return bool(closed)
