"""Reads one call of any shape. A reader returns False where there is no call, and nothing has left then.

Once a name and the beginning of its arguments are read, the call stands: its arguments leave as they come, and what is
wrong with them later is the caller's to see, as it is with any model.
"""

from collections.abc import Mapping

from appliance.core.request import Tool

from .braced_call import BracedCall
from .json_call import JsonCall
from .names import MAX_HEADER_CHARACTERS, is_name
from .pieces import Pieces
from .python_calls import read_python_calls
from .scanner import Reading, Scanner
from .syntax import BracedShape, Calls, JsonShape, NamedShape, PythonShape, TaggedShape
from .tagged_call import TaggedCall
from .values import to_json


class CallReader:
    """Reads calls to `tools`, and to what else the model names."""

    def __init__(self, scanner: Scanner, pieces: Pieces, tools: Mapping[str, Tool]) -> None:
        self._scanner = scanner
        self._pieces = pieces
        self._tools = tools

    def read(self, calls: Calls) -> Reading[bool]:
        """Read one call, or all of them where they can only be understood together."""
        shape = calls.shape
        if isinstance(shape, JsonShape):
            return (yield from JsonCall(self._scanner, self._pieces, None).read())
        if isinstance(shape, NamedShape):
            return (yield from self._named(shape))
        if isinstance(shape, TaggedShape):
            return (yield from TaggedCall(self._scanner, self._pieces, self._tools, shape, calls.close).read())
        if isinstance(shape, BracedShape):
            return (yield from BracedCall(self._scanner, self._pieces, shape).read())
        assert isinstance(shape, PythonShape)
        return (yield from self._python(calls.close))

    def bare(self) -> Reading[bool]:
        """Read a JSON object that is a call only where it names one of the tools."""
        return (yield from JsonCall(self._scanner, self._pieces, self._tools).read())

    def arguments(self, name: str) -> Reading[bool]:
        """Read the JSON object of a call to `name`."""
        yield from self._scanner.skip_spaces()
        if (yield from self._scanner.peek()) != "{":
            return False
        self._pieces.begin_call(name)
        yield from self._scanner.container(self._pieces.argue)
        return True

    def _named(self, shape: NamedShape) -> Reading[bool]:
        scanner = self._scanner
        start = scanner.mark()
        found = yield from scanner.until(["{"], MAX_HEADER_CHARACTERS)
        header = None if found is None else shape.header.fullmatch(found[0].strip())
        if found is None or header is None or not is_name(header["name"]):
            return False
        scanner.rewind(start + len(found[0]))
        scanner.release()
        yield from self.arguments(header["name"])
        for literal in shape.end:
            yield from scanner.skip_spaces()
            yield from scanner.take(literal.strip())
        return True

    def _python(self, close: str) -> Reading[bool]:
        scanner = self._scanner
        parts: list[str] = []
        scanner.mark()
        found = yield from scanner.pour([close], parts.append, holds_spaces=False)
        calls = read_python_calls("".join(parts)) if found else None
        if not calls:
            return False
        scanner.unread(len(close))
        for name, arguments in calls:
            self._pieces.begin_call(name)
            self._pieces.argue(to_json(arguments))
        return True
