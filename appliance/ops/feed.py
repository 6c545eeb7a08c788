"""What happens in the daemon, numbered, remembered for a while and told to all who follow. Knows nothing of HTTP."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection

import msgspec

from appliance.core.events import (
    JobProgressed,
    JobStateChanged,
    MachineEased,
    MemoryRanShort,
    ModelBenchmarked,
    ModelCalibrated,
    ModelPlaced,
    ModelStateChanged,
    RequestAccepted,
    RequestEnded,
    RequestPaused,
    RequestQueued,
    SystemEvent,
)
from appliance.core.feed import LOG_LEVELS, FeedEvent, LogLevel, LogLine

MAX_EVENTS = 2000
MAX_LINES = 2000

_TYPES: dict[type, str] = {
    MachineEased: "hardware.easing",
    ModelStateChanged: "model.state",
    ModelCalibrated: "model.calibrated",
    ModelBenchmarked: "model.benchmarked",
    RequestQueued: "request.queued",
    RequestAccepted: "request.accepted",
    RequestPaused: "request.paused",
    RequestEnded: "request.ended",
    ModelPlaced: "model.placed",
    MemoryRanShort: "memory.short",
    JobStateChanged: "job.state",
    JobProgressed: "job.progress",
}
"""What is not here happens many times a second and is asked for as figures: tokens, and what a worker measures."""

_SEQS_PER_S = 1_000_000
"""A daemon begins to count at its start time: events of a later one are greater, unless one had a million a second."""


class Feed(logging.Handler):
    """Owns the recent events and log lines. Log lines may come from any thread, all else is the event loop's."""

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._now_s = now_s
        self._guard = threading.Lock()
        self._seq = int(now_s()) * _SEQS_PER_S
        self._first_seq = self._seq
        self._events: dict[int, FeedEvent] = {}
        self._lines: deque[LogLine] = deque(maxlen=MAX_LINES)
        self._progress: dict[object, int] = {}
        self._followers: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    def observe(self, event: SystemEvent) -> None:
        """Remember an event; of a job's progress only the newest."""
        type_ = _TYPES.get(type(event))
        if type_ is None:
            return
        data = msgspec.to_builtins(event)
        with self._guard:
            seq = self._remember(type_, data)
            if isinstance(event, JobProgressed):
                self._events.pop(self._progress.get(event.id, -1), None)
                self._progress[event.id] = seq
            elif isinstance(event, JobStateChanged):
                self._progress.pop(event.id, None)
        self._wake()

    def emit(self, record: logging.LogRecord) -> None:
        """Remember a line of the log (called by `logging`, from any thread)."""
        message = record.getMessage()
        with self._guard:
            line = LogLine(
                seq=self._seq + 1,
                time_s=record.created,
                level=_level(record.levelno),
                source=record.name,
                message=message,
            )
            self._lines.append(line)
            self._remember("log", msgspec.to_builtins(line))
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def lines(self, least: LogLevel, max_lines: int) -> tuple[LogLine, ...]:
        """Return the newest lines of that level or a graver one, the oldest first."""
        levels = LOG_LEVELS[LOG_LEVELS.index(least) :]
        with self._guard:
            wanted = [line for line in self._lines if line.level in levels]
        return tuple(wanted[max(0, len(wanted) - max_lines) :])

    async def follow(self, after: int | None, num_past: int, kinds: Collection[str]) -> AsyncGenerator[FeedEvent, None]:
        """Yield events as they come until the feed is closed: those after `after`, else the newest `num_past` first.

        Of `kinds`, the first parts of types, none means all.
        """
        self._loop = asyncio.get_running_loop()
        news = asyncio.Event()
        self._followers.add(news)
        try:
            seq = self._seq_before(num_past) if after is None else after
            while True:
                news.clear()
                for event in self._since(seq):
                    if not kinds or event.type.partition(".")[0] in kinds or event.type == "missed":
                        yield event
                    seq = event.seq
                if self._is_closed:
                    return
                await news.wait()
        finally:
            self._followers.discard(news)

    def close(self) -> None:
        """End all streams."""
        super().close()
        self._is_closed = True
        self._wake()

    def _remember(self, type_: str, data: dict[str, object]) -> int:
        self._seq += 1
        self._events[self._seq] = FeedEvent(seq=self._seq, time_s=self._now_s(), type=type_, data=data)
        if len(self._events) > MAX_EVENTS:
            oldest = next(iter(self._events))
            del self._events[oldest]
            self._first_seq = oldest
        return self._seq

    def _since(self, seq: int) -> list[FeedEvent]:
        """Return what came after `seq`, with a word before it where a part is forgotten."""
        with self._guard:
            found = []
            for event in reversed(self._events.values()):
                if event.seq <= seq:
                    break
                found.append(event)
            if seq < self._first_seq:
                found.append(FeedEvent(seq=self._first_seq, time_s=self._now_s(), type="missed", data={}))
        return found[::-1]

    def _seq_before(self, num_past: int) -> int:
        with self._guard:
            newest = list(self._events)[max(0, len(self._events) - num_past) :] if num_past else []
            return newest[0] - 1 if newest else self._seq

    def _wake(self) -> None:
        for news in self._followers:
            news.set()


def _level(number: int) -> LogLevel:
    """Return the name of a level; one between two counts as the lower."""
    return LOG_LEVELS[min(max(number // 10 - 1, 0), len(LOG_LEVELS) - 1)]
