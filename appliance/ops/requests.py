"""Which requests wait and run, and how the last ones went, from the system's events. Knows nothing of what they say."""

import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from appliance.core.admin import RecentFigures, Requests, RequestState, RequestStatus
from appliance.core.events import (
    Outcome,
    RequestAccepted,
    RequestEnded,
    RequestPaused,
    RequestQueued,
    SystemEvent,
    TokensEmitted,
)
from appliance.core.request import RequestId
from appliance.errors import RequestNotFound

NUM_ENDED = 100
RECENT_S = 300.0

_ENDS: dict[Outcome, RequestState] = {"stop": "done", "length": "done", "cancelled": "cancelled", "error": "failed"}
_PUBLIC_PREFIXES = ("chatcmpl-", "cmpl-")


@dataclass(slots=True)
class _Entry:
    """A request that has not ended; seconds are of the clock, but for `arrived_at_s`, which is since the epoch."""

    queued: RequestQueued
    arrived_s: float
    arrived_at_s: float
    accepted: RequestAccepted | None = None
    is_paused: bool = False
    ttft_s: float | None = None
    num_first_tokens: int = 0
    num_tokens: int = 0

    @property
    def state(self) -> RequestState:
        if self.accepted is None:
            return "waiting"
        return "paused" if self.is_paused else "running"

    def status(self, now_s: float) -> RequestStatus:
        duration_s = now_s - self.arrived_s
        accepted = self.accepted
        return RequestStatus(
            id=self.queued.id,
            model=self.queued.model,
            caller=self.queued.caller,
            priority=self.queued.priority,
            state=self.state,
            arrived_s=self.arrived_at_s,
            duration_s=duration_s,
            queue_s=accepted.queue_s if accepted else None,
            ttft_s=self.ttft_s,
            prompt_tokens=accepted.num_prompt_tokens if accepted else None,
            cached_tokens=accepted.cached_tokens if accepted else None,
            completion_tokens=self.num_tokens,
            tokens_per_s=self._tokens_per_s(duration_s),
        )

    def ended(self, event: RequestEnded) -> RequestStatus:
        accepted = self.accepted
        return RequestStatus(
            id=event.id,
            model=event.model,
            caller=event.caller,
            priority=self.queued.priority,
            state=_ENDS[event.outcome],
            arrived_s=self.arrived_at_s,
            duration_s=event.duration_s,
            # The worker's own account where it came: that it accepted may be told together with the first token.
            queue_s=event.timings.queue_s if event.timings else accepted.queue_s if accepted else None,
            ttft_s=self.ttft_s,
            prompt_tokens=event.prompt_tokens if accepted else None,
            cached_tokens=event.cached_tokens if accepted else None,
            completion_tokens=event.completion_tokens,
            tokens_per_s=event.decode_tokens_per_s or self._tokens_per_s(event.duration_s),
            reason=event.outcome,
            error=event.error,
        )

    def _tokens_per_s(self, duration_s: float) -> float | None:
        num_later = self.num_tokens - self.num_first_tokens
        if self.ttft_s is None or num_later == 0 or duration_s <= self.ttft_s:
            return None
        return num_later / (duration_s - self.ttft_s)


class RequestLog:
    """Owns the account of requests. `observe` is called for every system event, on the scheduler's task."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time) -> None:
        self._clock, self._wall = clock, wall
        self._active: dict[RequestId, _Entry] = {}
        self._ended: deque[tuple[float, RequestStatus]] = deque(maxlen=NUM_ENDED)
        self._observers: dict[type, Callable[[Any], None]] = {
            TokensEmitted: self._tokens,
            RequestQueued: self._queued,
            RequestAccepted: self._taken,
            RequestPaused: self._paused,
            RequestEnded: self._over,
        }

    def observe(self, event: SystemEvent) -> None:
        """Take a system event; most kinds say nothing about a request."""
        if observer := self._observers.get(type(event)):
            observer(event)

    def requests(self) -> Requests:
        """Return all that is known now."""
        now_s = self._clock()
        active = [entry.status(now_s) for entry in self._active.values()]
        active.sort(key=lambda status: status.state == "waiting")
        ended = [status for _, status in reversed(self._ended)]
        return Requests(requests=(*active, *ended), recent=self._recent(now_s))

    def recent_of(self, model: str) -> RecentFigures:
        """Return how the last requests to one model went."""
        return self._recent(self._clock(), model)

    def find(self, public_id: str) -> tuple[RequestId, ...]:
        """Return the waiting and running requests of an id as the log or as an answer shows it.

        A completion call of many prompts is a request for each, `ID-0` and so on. Raises: RequestNotFound.
        """
        bare = public_id
        for prefix in _PUBLIC_PREFIXES:
            bare = bare.removeprefix(prefix)
        found = tuple(id for id in self._active if id == bare or id.rpartition("-")[0] == bare)
        if not found:
            raise RequestNotFound(f"no request {public_id!r} runs or waits: it has ended, or never was")
        return found

    def _queued(self, event: RequestQueued) -> None:
        self._active[event.id] = _Entry(event, self._clock(), self._wall())

    def _taken(self, event: RequestAccepted) -> None:
        self._active[event.id].accepted = event

    def _paused(self, event: RequestPaused) -> None:
        self._active[event.id].is_paused = event.is_paused

    def _tokens(self, event: TokensEmitted) -> None:
        entry = self._active[event.id]
        entry.num_tokens += event.num_tokens
        if entry.ttft_s is None:
            entry.ttft_s, entry.num_first_tokens = event.interval_s, event.num_tokens

    def _over(self, event: RequestEnded) -> None:
        entry = self._active.pop(event.id)
        self._ended.append((self._clock(), entry.ended(event)))

    def _recent(self, now_s: float, model: str | None = None) -> RecentFigures:
        done = [s for ended_s, s in self._ended if now_s - ended_s <= RECENT_S and s.state == "done"]
        done = done if model is None else [status for status in done if status.model == model]
        num_prompt_tokens = sum(status.prompt_tokens or 0 for status in done)
        num_cached_tokens = sum(status.cached_tokens or 0 for status in done)
        return RecentFigures(
            window_s=RECENT_S,
            num_requests=len(done),
            median_ttft_s=_median([s.ttft_s for s in done]),
            median_tokens_per_s=_median([s.tokens_per_s for s in done]),
            cached_ratio=num_cached_tokens / num_prompt_tokens if num_prompt_tokens else None,
        )


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
