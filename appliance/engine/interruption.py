"""Ends the step under way for a request that comes before all whom the step serves. Owns that decision, no sequence.

Two threads share it: one takes the steps, the other hears of requests.
"""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from appliance.backends.base import StepAborted


class Interruption:
    """The classes of the step under way, and the first of those who came since the last one began."""

    def __init__(self, abort: Callable[[], None]) -> None:
        """`abort` makes a running step end soon; any thread may call it."""
        self._abort = abort
        self._lock = threading.Lock()  # a step ends within it, so that no wish to end it meets the next one
        self._step_ranks: Collection[int] = ()
        self._arrived_rank: int | None = None
        self._ended_rank: int | None = None

    def on_arrival(self, class_rank: int) -> None:
        """Hear of a request that the thread of the steps will find before its next step. Any thread."""
        with self._lock:
            self._arrived_rank = class_rank if self._arrived_rank is None else min(self._arrived_rank, class_rank)
            if self._step_ranks and is_interrupted(self._step_ranks, class_rank, self._ended_rank):
                self._abort()

    @contextmanager
    def step(self, class_ranks: Collection[int]) -> Iterator[None]:
        """Enclose a step for sequences of these classes. Raises: StepAborted, if somebody came while it was planned."""
        self._begin(class_ranks)
        ended_rank = None
        try:
            yield
        except StepAborted:
            ended_rank = min(class_ranks)
            raise
        finally:
            self._end(ended_rank)

    def _begin(self, class_ranks: Collection[int]) -> None:
        with self._lock:
            arrived_rank, self._arrived_rank = self._arrived_rank, None
            if arrived_rank is not None and is_interrupted(class_ranks, arrived_rank, self._ended_rank):
                raise StepAborted
            self._step_ranks = class_ranks

    def _end(self, ended_rank: int | None) -> None:
        with self._lock:
            if ended_rank is not None or (self._ended_rank is not None and max(self._step_ranks) >= self._ended_rank):
                self._ended_rank = ended_rank
            self._step_ranks = ()


def is_interrupted(class_ranks: Collection[int], newcomer_rank: int, ended_rank: int | None) -> bool:
    """Return whether a newcomer ends a step for sequences of these classes; the lower a class's rank, the earlier.

    It does where all of them come after it, but never twice in a row: `ended_rank` is the class whose step was ended
    and that has computed nothing since. Requests that keep coming would else let nobody of that class get on.
    """
    first_rank = min(class_ranks)
    return newcomer_rank < first_rank and (ended_rank is None or first_rank < ended_rank)
