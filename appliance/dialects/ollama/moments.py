"""Times and durations as Go writes them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from appliance.core.events import Finished

Clock = Callable[[], int]
"""Returns nanoseconds since the epoch."""

FOR_EVER_S = 292 * 365.25 * 86400
"""What Ollama's clients read as "for ever": the longest duration that Go can hold."""


def rfc3339(time_ns: int) -> str:
    """Return a moment in UTC, to the nanosecond."""
    seconds, nanoseconds = divmod(time_ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


class Stamps:
    """The times of one answer: each chunk's, and what each part of it took."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start_ns = clock()
        self._second, self._text = -1, ""

    def now(self) -> str:
        """Return the time as `rfc3339` does; its date is written once a second."""
        seconds, nanoseconds = divmod(self._clock(), 10**9)
        if seconds != self._second:
            self._second, self._text = seconds, f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
        return f"{self._text}.{nanoseconds:09d}Z"

    @property
    def total_ns(self) -> int:
        """How long the call has taken until now."""
        return self._clock() - self._start_ns


class Figures(NamedTuple):
    """What an answer cost, by Ollama's names; durations in nanoseconds."""

    total_duration: int
    load_duration: int
    prompt_eval_count: int
    prompt_eval_duration: int
    eval_count: int
    eval_duration: int


def figures(finished: Finished, total_ns: int) -> Figures:
    """Return the figures of an answer. What passed before its prompt was read, the queue included, counts as loading.

    Clients divide by `eval_duration`, which is why it is never 0.
    """
    usage, timings = finished.usage, finished.timings
    return Figures(
        total_duration=total_ns,
        load_duration=_nanoseconds(timings.queue_s),
        prompt_eval_count=usage.prompt_tokens,
        prompt_eval_duration=_nanoseconds(timings.prefill_s),
        eval_count=usage.completion_tokens,
        eval_duration=max(1, _nanoseconds(timings.decode_s)),
    )


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
