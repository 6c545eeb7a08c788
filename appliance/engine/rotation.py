"""Whose turn it is where a step computes with one set of adapters, and sequences with several wait. Pure.

Sets of the best class present take turns, a few steps each: to change the set costs a tenth to a third of a step, since
the library plans its computation anew (measured with 0.5B parameters on two cores: 11.5 and 15 ms). A set whose
sequences are all of a lower class has every `LATER_EVERY`th turn, so that what can wait waits, but not for ever.
"""

from collections.abc import Mapping

from .adapters import AdapterKey

STEPS_A_TURN = 3
LATER_EVERY = 4


class Rotation:
    """The sets that have something to compute, in the order of their turns."""

    def __init__(self) -> None:
        self._queue: list[AdapterKey] = []
        self._current: AdapterKey | None = None
        self._steps_left = 0
        self._turns_since_later = 0

    def next(self, ranks: Mapping[AdapterKey, int]) -> AdapterKey:
        """Return the set of the next step; `ranks` has each that could be it, with its best class."""
        self._queue = [key for key in self._queue if key in ranks] + [key for key in ranks if key not in self._queue]
        if self._current is not None and self._current in ranks:
            if self._steps_left > 0:
                self._steps_left -= 1
                return self._current
            self._queue.remove(self._current)  # and stands behind who came during its turn
            self._queue.append(self._current)
        best = min(ranks.values())
        first = [key for key in self._queue if ranks[key] == best]
        later = [key for key in self._queue if ranks[key] != best]
        is_later = bool(later) and self._turns_since_later >= LATER_EVERY - 1
        self._turns_since_later = 0 if is_later or not later else self._turns_since_later + 1
        self._current = chosen = (later if is_later else first)[0]
        self._steps_left = STEPS_A_TURN - 1
        return chosen

    def end_turn(self) -> None:
        """Let another set be next: the step that was planned takes long enough."""
        self._steps_left = 0
