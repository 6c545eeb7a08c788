"""What an answer consists of, in the order in which it was written."""

import secrets
from collections.abc import Callable
from typing import NamedTuple

from appliance.core.events import ToolCallDelta


class Said(NamedTuple):
    """Text that is meant for the reader."""

    text: str


class Thought(NamedTuple):
    """Text that the model wrote to itself before it answers."""

    text: str


Piece = Said | Thought | ToolCallDelta


def new_call_id() -> str:
    """Return an id for a call that no other call will have."""
    return f"call_{secrets.token_hex(12)}"


class Pieces:
    """Collects the pieces of one answer. What continues the piece before it is put together with it.

    `is_done` once nothing more is wanted: unless `is_parallel`, after the first call.
    """

    def __init__(self, new_id: Callable[[], str], *, is_parallel: bool) -> None:
        self._new_id = new_id
        self._is_parallel = is_parallel
        self._pieces: list[Piece] = []
        self.num_calls = 0
        self.has_said = False
        self.is_thinking = False
        self.is_done = False

    def say(self, text: str) -> None:
        """Add text for the reader."""
        if not text:
            return
        self.has_said = True
        last = self._pieces[-1] if self._pieces else None
        if isinstance(last, Said):
            self._pieces[-1] = Said(last.text + text)
        else:
            self._pieces.append(Said(text))

    def think(self, text: str) -> None:
        """Add a thought."""
        if not text:
            return
        last = self._pieces[-1] if self._pieces else None
        if isinstance(last, Thought):
            self._pieces[-1] = Thought(last.text + text)
        else:
            self._pieces.append(Thought(text))

    def begin_call(self, name: str) -> None:
        """Begin the next call."""
        self._pieces.append(ToolCallDelta(self.num_calls, self._new_id(), name, ""))
        self.num_calls += 1

    def argue(self, text: str) -> None:
        """Add to the arguments of the call that was begun last."""
        if not text:
            return
        index = self.num_calls - 1
        last = self._pieces[-1] if self._pieces else None
        if isinstance(last, ToolCallDelta):
            self._pieces[-1] = ToolCallDelta(index, last.id, last.name, last.arguments + text)
        else:
            self._pieces.append(ToolCallDelta(index, None, None, text))

    def end_call(self) -> None:
        """End the call that was begun last."""
        self.is_done = not self._is_parallel

    def take(self) -> list[Piece]:
        """Return what was collected since the last time."""
        taken, self._pieces = self._pieces, []
        return taken
