"""Reads what a model writes while it comes: what it says, what it thinks, and the calls it makes.

One parser for all families; they are data. It reads text, so it sees markers only where the detokenizer shows them.
What turns out not to be a call is said, markers and all: no character is lost but markers and the space around them.
"""

from collections.abc import Callable, Sequence

from appliance.core.request import Tool

from .calls import CallReader
from .channels import ChannelReader
from .pieces import Piece, Pieces, new_call_id
from .scanner import Reading, Scanner
from .syntax import Calls, Family, JsonShape, PythonShape


class AnswerParser:
    """The reader of one answer. `opening` is what the prompt itself wrote of it, such as `<think>`."""

    def __init__(
        self,
        family: Family,
        tools: Sequence[Tool] = (),
        *,
        is_parallel: bool = True,
        opening: str = "",
        new_id: Callable[[], str] = new_call_id,
    ) -> None:
        """Without `tools` no call is looked for. Unless `is_parallel`, the answer is done after its first call."""
        self._family = family
        self._scanner = Scanner()
        self._pieces = Pieces(new_id, is_parallel=is_parallel)
        self._reader = CallReader(self._scanner, self._pieces, {tool.name: tool for tool in tools})
        self._calls = family.calls if tools else ()
        self._is_plain = False
        self._run: Reading[None] | None = self._answer()
        if family.has_channels:
            self._run = ChannelReader(self._scanner, self._pieces, self._reader, has_tools=bool(tools)).read()
        self.feed(opening)

    @property
    def is_thinking(self) -> bool:
        """Whether what comes next is thought, until the end of the thinking is read."""
        return self._pieces.is_thinking

    @property
    def is_done(self) -> bool:
        """Whether nothing more is wanted."""
        return self._pieces.is_done

    @property
    def num_calls(self) -> int:
        """How many calls were begun."""
        return self._pieces.num_calls

    def feed(self, text: str) -> list[Piece]:
        """Return what is certain now, in its order."""
        if self._is_plain:
            self._pieces.say(text)
        elif self._run is not None:
            self._scanner.feed(text)
            self._go_on()
        return self._pieces.take()

    def flush(self) -> list[Piece]:
        """Return what was held back, once nothing more comes."""
        self._scanner.is_over = True
        self._go_on()
        return self._pieces.take()

    def _go_on(self) -> None:
        if self._run is None:
            return
        try:
            next(self._run)
        except StopIteration:
            self._run = None

    def _answer(self) -> Reading[None]:
        yield from self._think()
        if not self._calls:
            self._is_plain = True
            self._pieces.say(self._scanner.rest())
            return
        if self._family.has_bare_calls:
            yield from self._bare_calls()
        opens = list(dict.fromkeys(calls.open for calls in self._calls if calls.open))
        closes = [each.close for each in self._calls if each.close and not any(o.startswith(each.close) for o in opens)]
        while not self.is_done:
            marker = yield from self._scanner.pour([*opens, *closes], self._pieces.say)
            if not marker:
                rest = self._scanner.rest()
                self._pieces.say(rest if rest.strip() or not self.num_calls else "")
                return
            yield from self._marked(marker, marker in opens)
            if not self._pieces.has_said:
                yield from self._scanner.skip_spaces()

    def _think(self) -> Reading[None]:
        thinking, scanner = self._family.thinking, self._scanner
        if thinking is None:
            return
        start = scanner.mark()
        yield from scanner.skip_spaces()
        if not (yield from scanner.take(thinking.open)):
            scanner.rewind(start)
            scanner.release()
            return
        scanner.release()
        self._pieces.is_thinking = True
        yield from scanner.skip_spaces()
        if not (yield from scanner.pour([thinking.close], self._pieces.think)):
            self._pieces.think(scanner.rest())
            return
        self._pieces.is_thinking = False
        yield from scanner.skip_spaces()

    def _bare_calls(self) -> Reading[None]:
        """Read calls with which the answer begins, and that have no marker."""
        scanner = self._scanner
        start = scanner.mark()
        yield from scanner.skip_spaces()
        while (yield from scanner.peek()) == "{":
            place = scanner.mark()
            is_call = yield from self._reader.bare()
            if not is_call:
                scanner.rewind(place)
                break
            scanner.release()
            self._pieces.end_call()
            if self.is_done:
                return
            yield from scanner.skip_spaces()
            yield from scanner.take(";")
            yield from scanner.skip_spaces()
        if not self.num_calls:
            scanner.rewind(start)
        scanner.release()

    def _marked(self, marker: str, is_open: bool) -> Reading[None]:
        """Go on behind a marker: with calls, or by saying the marker where none is and none was."""
        spaces = self._scanner.spaces
        is_call = False
        if is_open:
            for calls in self._calls:
                if calls.open == marker and not is_call:
                    is_call = yield from self._section(calls)
        if not is_call and (is_open or not self.num_calls):
            self._pieces.say(spaces + marker)

    def _section(self, calls: Calls) -> Reading[bool]:
        """Read the calls between two markers; return whether there are any. What follows them stays unread."""
        scanner = self._scanner
        num_before = self.num_calls
        while not self.is_done:
            place = scanner.mark()
            is_call = yield from self._call(calls, is_first=self.num_calls == num_before)
            if not is_call:
                scanner.rewind(place)
            scanner.release()
            if not is_call:
                break
            self._pieces.end_call()
        if self.num_calls == num_before:
            return False
        if not self.is_done:
            for literal in ("]" if isinstance(calls.shape, JsonShape) else "", calls.close):
                yield from scanner.skip_spaces()
                yield from scanner.take(literal)
        return True

    def _call(self, calls: Calls, *, is_first: bool) -> Reading[bool]:
        """Read one call with what separates it from the one before."""
        scanner = self._scanner
        yield from scanner.skip_spaces()
        if isinstance(calls.shape, JsonShape):
            yield from scanner.take_any(("[",) if is_first else (",", ";"))
            return (yield from self._reader.read(calls))
        if not is_first and (calls.between is None or isinstance(calls.shape, PythonShape)):
            return False
        if isinstance(calls.shape, PythonShape):  # which is read with its brackets
            return (yield from self._reader.read(calls))
        yield from scanner.take((calls.before_first if is_first else calls.between or "").strip())
        return (yield from self._reader.read(calls))
