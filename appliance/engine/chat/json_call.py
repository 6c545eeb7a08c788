"""Reads a call that is one JSON object with its name and its arguments. Arguments that come first wait for the name."""

from collections.abc import Callable, Mapping

from appliance.core.request import Tool

from .pieces import Pieces
from .scanner import Reading, Scanner


class JsonCall:
    """One object. With `known`, it is only a call where it names one of these tools and has arguments."""

    def __init__(self, scanner: Scanner, pieces: Pieces, known: Mapping[str, Tool] | None) -> None:
        self._scanner = scanner
        self._pieces = pieces
        self._known = known
        self._name: str | None = None
        self._held: list[str] | None = None
        self._is_begun = False

    def read(self) -> Reading[bool]:
        """Read it; return whether it is a call."""
        is_whole = yield from self._object(self._entry)
        if is_whole and not self._is_begun and self._known is None and self._name is not None:
            self._begin()
            self._pieces.argue("{}" if self._held is None else "".join(self._held))
        return self._is_begun

    def _object(self, entry: Callable[[str], Reading[bool]]) -> Reading[bool]:
        scanner = self._scanner
        yield from scanner.skip_spaces()
        if not (yield from scanner.take("{")):
            return False
        while True:
            yield from scanner.skip_spaces()
            if (yield from scanner.take("}")):
                return True
            key = yield from scanner.string()
            yield from scanner.skip_spaces()
            if key is None or not (yield from scanner.take(":")):
                return False
            yield from scanner.skip_spaces()
            if not (yield from entry(key)):
                return False
            yield from scanner.skip_spaces()
            yield from scanner.take(",")

    def _entry(self, key: str) -> Reading[bool]:
        scanner = self._scanner
        character = yield from scanner.peek()
        if key in ("arguments", "parameters") and self._held is None:
            return (yield from self._arguments(character))
        if key in ("name", "tool_name") or (key == "function" and character == '"'):
            self._name = yield from scanner.string()
            return bool(self._name) and (self._known is None or self._name in self._known)
        if key == "function":
            return (yield from self._object(self._entry))
        if self._known is not None and not self._is_begun and key not in ("type", "id"):
            return False
        return (yield from scanner.value(lambda text: None))

    def _arguments(self, character: str) -> Reading[bool]:
        scanner = self._scanner
        self._held = []
        if character == "{":
            if self._name is not None:
                self._begin()
                return (yield from scanner.container(self._pieces.argue))
            return (yield from scanner.container(self._held.append))
        if character == '"':  # some models write the object as a text
            text = yield from scanner.string()
            if text is None or not text.lstrip().startswith("{"):
                return False
            self._held.append(text)
        elif (yield from scanner.take("null")):
            self._held.append("{}")
        else:
            return False
        if self._name is not None:
            self._begin()
            self._pieces.argue("".join(self._held))
        return True

    def _begin(self) -> None:
        assert self._name is not None
        self._is_begun = True
        self._scanner.release()
        self._pieces.begin_call(self._name)
