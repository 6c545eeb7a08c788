"""The engine of models that turn speech into text: a pass of one window at a time, recordings in turns.

Owns the recordings under way; the model keeps nothing between two passes. Runs on the worker's step thread.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from appliance.backends.base import LoadedListener, Tokenizer
from appliance.core.events import Accepted, Failed, Finished, RequestEvent, Timings, Transcribed, Usage
from appliance.core.messages import Stats
from appliance.core.request import PRIORITY_RANK, RequestId
from appliance.errors import InvalidRequest, NotOffered, to_info

from .hearing.decode import WindowReader, text_of
from .hearing.listening import Course, Listening, Window
from .hearing.recordings import PreparedRecording

SOUND_TOKENS_PER_S = 50
"""What a second of sound counts as: the positions at which the encoder hears it."""


@dataclass(slots=True)
class _Job:
    """A recording, and how far it is."""

    listening: Listening
    course: Course
    number: int
    begun_s: float | None = None
    first_s: float | None = None
    num_tokens: int = 0
    heard_s: float = 0.0

    @property
    def prepared(self) -> PreparedRecording:
        return self.listening.prepared

    @property
    def id(self) -> RequestId:
        return self.prepared.request.id

    @property
    def num_sound_tokens(self) -> int:
        return round(SOUND_TOKENS_PER_S * self.listening.duration_s)


class TranscribingEngine:
    """One model's recordings, from their sound to their text."""

    def __init__(self, model: LoadedListener, tokenizer: Tokenizer, clock: Callable[[], float]) -> None:
        """`clock` returns monotonic seconds."""
        self._model = model
        self._reader = WindowReader(model, text_of(tokenizer.token_bytes, model.tokens.end))
        self._clock = clock
        self._jobs: dict[RequestId, _Job] = {}
        self._heard_s: dict[str, float] = {}
        self._numbers = itertools.count()
        self.num_steps = 0
        self.num_tokens_done = 0

    @property
    def has_work(self) -> bool:
        """Whether a step would do anything."""
        return bool(self._jobs)

    def start(self, prepared: PreparedRecording) -> list[RequestEvent]:
        """Queue a recording. A caller who had none starts level with those who were served least."""
        listening = Listening(self._model, self._reader, prepared)
        self._jobs[prepared.request.id] = _Job(listening, listening.course(), next(self._numbers))
        self._heard_s.setdefault(prepared.arrival.caller, min(self._heard_s.values(), default=0.0))
        return []

    def cancel(self, request_id: RequestId) -> None:
        """Forget a recording."""
        job = self._jobs.pop(request_id, None)
        if job is not None:
            job.course.close()
            callers = {each.prepared.arrival.caller for each in self._jobs.values()}
            self._heard_s = {caller: heard_s for caller, heard_s in self._heard_s.items() if caller in callers}

    def close(self) -> None:
        """Leave nothing behind: there is nothing to keep."""

    def step(self) -> list[RequestEvent]:
        """Take one pass of the recording whose turn it is, and return what became of it."""
        job = min(self._jobs.values(), key=self._order)
        self.num_steps += 1
        was_known = job.listening.duration_s > 0
        if job.begun_s is None:
            job.begun_s = self._clock()
        try:
            window = next(job.course)
        except (InvalidRequest, NotOffered) as error:
            self.cancel(job.id)
            return [Failed(id=job.id, error=to_info(error))]
        events: list[RequestEvent] = []
        if job.listening.duration_s > 0 and not was_known:
            events.append(Accepted(id=job.id, num_prompt_tokens=job.num_sound_tokens, cached_tokens=0))
        if window is not None:
            events.append(self._transcribed(job, window))
        if job.listening.is_over:
            events.append(self._finished(job))
        return events

    def stats(self, tokens_per_s: float, memory_bytes: int) -> Stats:
        """Return the engine's state with the figures that the worker measured."""
        num_running = sum(job.begun_s is not None for job in self._jobs.values())
        return Stats(
            num_running=num_running,
            num_waiting=len(self._jobs) - num_running,
            kv_used_tokens=0,
            kv_retained_tokens=0,
            num_preemptions=0,
            num_steps=self.num_steps,
            tokens_per_s=tokens_per_s,
            memory_bytes=memory_bytes,
        )

    def _order(self, job: _Job) -> tuple[int, bool, float, float, float, int]:
        """Who goes first: the class, then a window that was begun, then of whom, and of what, least was heard."""
        arrival = job.prepared.arrival
        return (
            PRIORITY_RANK[job.prepared.request.priority],
            not job.listening.is_within_window,
            self._heard_s[arrival.caller],
            job.heard_s,
            arrival.rank,
            job.number,
        )

    def _transcribed(self, job: _Job, window: Window) -> Transcribed:
        arrival = job.prepared.arrival
        job.first_s = job.first_s or self._clock()
        self._heard_s[arrival.caller] += (window.heard_s - job.heard_s) / arrival.weight
        job.heard_s = window.heard_s
        job.num_tokens += window.num_tokens
        self.num_tokens_done += window.num_tokens
        return Transcribed(
            id=job.id,
            language=job.listening.language,
            heard_s=window.heard_s,
            duration_s=job.listening.duration_s,
            segments=window.segments,
        )

    def _finished(self, job: _Job) -> Finished:
        self.cancel(job.id)
        arrival, now_s = job.prepared.arrival, self._clock()
        begun_s = now_s if job.begun_s is None else job.begun_s
        first_s = now_s if job.first_s is None else job.first_s
        return Finished(
            id=job.id,
            choice=0,
            reason="stop",
            usage=Usage(prompt_tokens=job.num_sound_tokens, cached_tokens=0, completion_tokens=job.num_tokens),
            timings=Timings(
                queue_s=begun_s - arrival.received_s + arrival.waited_s,
                prefill_s=first_s - begun_s,
                decode_s=now_s - first_s,
            ),
            mean_token_probability=None,
        )
