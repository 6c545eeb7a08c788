"""The engine of models that embed or score: batches of inputs across requests, a chunk at a time.

Owns the requests that wait for rows; the model keeps nothing between two calls. Runs on the worker's step thread.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from appliance.backends.base import LoadedEncoder, RowArray
from appliance.backends.encoders import normalized
from appliance.core.events import Accepted, Encoded, Failed, Finished, RequestEvent, Timings, Usage
from appliance.core.messages import Stats
from appliance.core.request import PRIORITY_RANK, EncodeRequest, RequestId
from appliance.errors import BackendError, to_info

from .inputs import PreparedInputs


@dataclass(slots=True)
class _Job:
    """A request: the inputs that are left, the longest last; where pairs are compared, the vectors so far."""

    prepared: PreparedInputs
    rank: int
    left: list[int]
    num_computed_tokens: int = 0
    begun_s: float | None = None
    vectors: dict[int, RowArray] = field(default_factory=dict)

    @property
    def request(self) -> EncodeRequest:
        return self.prepared.request

    @property
    def order(self) -> tuple[int, int, int]:
        """Who goes first: the class, then who was given least, so that a long list does not hold up short ones."""
        return PRIORITY_RANK[self.request.priority], self.num_computed_tokens, self.rank


class EncodingEngine:
    """One model's requests, from their inputs to their rows."""

    def __init__(self, model: LoadedEncoder, clock: Callable[[], float]) -> None:
        """`clock` returns monotonic seconds."""
        self._model = model
        self._clock = clock
        self._jobs: dict[RequestId, _Job] = {}
        self._arrivals = itertools.count()
        self.num_steps = 0
        self.num_tokens_done = 0

    @property
    def has_work(self) -> bool:
        """Whether a step would do anything."""
        return bool(self._jobs)

    def start(self, prepared: PreparedInputs) -> list[RequestEvent]:
        """Queue a request. Nothing of it can fail any more before it is computed."""
        lengths = [len(each.tokens) for each in prepared.inputs]
        left = sorted(range(len(lengths)), key=lengths.__getitem__)
        self._jobs[prepared.request.id] = _Job(prepared, next(self._arrivals), left)
        return []

    def cancel(self, request_id: RequestId) -> None:
        """Forget a request."""
        self._jobs.pop(request_id, None)

    def close(self) -> None:
        """Leave nothing behind: there is nothing to keep."""

    def step(self) -> list[RequestEvent]:
        """Compute the next inputs and return what became of them."""
        chosen = self._choose()
        events = self._begin(chosen)
        inputs = [each for job, indices in chosen for each in (job.prepared.inputs[index] for index in indices)]
        rows = self._model.embed(inputs)
        self.num_steps += 1
        self.num_tokens_done += sum(len(each.tokens) for each in inputs)
        start = 0
        for job, indices in chosen:
            events += self._take(job, indices, rows[start : start + len(indices)])
            start += len(indices)
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

    def _choose(self) -> list[tuple[_Job, list[int]]]:
        """Return inputs that fill a call, and at least one. Those of one request are alike in length."""
        room = self._model.traits.max_step_tokens
        chosen: list[tuple[_Job, list[int]]] = []
        for job in sorted(self._jobs.values(), key=lambda job: job.order):
            indices: list[int] = []
            while job.left:
                num_tokens = _length(job, job.left[-1])
                if num_tokens > room and (chosen or indices):
                    break
                indices.append(job.left.pop())
                job.num_computed_tokens += num_tokens
                room -= num_tokens
            if indices:
                chosen.append((job, indices))
        return chosen

    def _begin(self, chosen: list[tuple[_Job, list[int]]]) -> list[RequestEvent]:
        events: list[RequestEvent] = []
        for job, _ in chosen:
            if job.begun_s is None:
                job.begun_s = self._clock()
                num_tokens = job.prepared.num_tokens
                events.append(Accepted(id=job.request.id, num_prompt_tokens=num_tokens, cached_tokens=0))
        return events

    def _take(self, job: _Job, indices: list[int], rows: RowArray) -> list[RequestEvent]:
        """Return the events of a request's new rows, the last of them with its end."""
        request = job.request
        if not np.isfinite(rows).all():
            self.cancel(request.id)
            problem = BackendError("the model computed no numbers for an input; its weights may be damaged")
            return [Failed(id=request.id, error=to_info(problem))]
        events: list[RequestEvent] = []
        if job.prepared.pairs:
            job.vectors.update(zip(indices, normalized(rows), strict=True))
            if not job.left:
                events.append(_cosines(job))
        elif request.task == "score":
            events.append(_encoded(request.id, "relevance", indices, _sigmoid(rows)))
        else:
            events.append(_encoded(request.id, "embedding", indices, _shortened(rows, request.dimensions)))
        if not job.left:
            events.append(self._finished(job))
        return events

    def _finished(self, job: _Job) -> Finished:
        del self._jobs[job.request.id]
        prepared, now_s = job.prepared, self._clock()
        begun_s = now_s if job.begun_s is None else job.begun_s
        queue_s = begun_s - prepared.arrival.received_s + prepared.arrival.waited_s
        return Finished(
            id=job.request.id,
            choice=0,
            reason="stop",
            usage=Usage(prompt_tokens=prepared.num_tokens, cached_tokens=0, completion_tokens=0),
            timings=Timings(queue_s=queue_s, prefill_s=now_s - begun_s, decode_s=0.0),
            mean_token_probability=None,
        )


def _length(job: _Job, index: int) -> int:
    return len(job.prepared.inputs[index].tokens)


def _shortened(rows: RowArray, dimensions: int | None) -> RowArray:
    """Return the first numbers of each row as a vector of length 1, for models that were trained so (Matryoshka).

    Source: Kusupati et al., Matryoshka Representation Learning, 2022.
    """
    return rows if dimensions is None or dimensions == rows.shape[1] else normalized(rows[:, :dimensions])


def _sigmoid(rows: RowArray) -> RowArray:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * rows), np.float32)  # in this form nothing overflows


def _cosines(job: _Job) -> Encoded:
    cosines = [job.vectors[first] @ job.vectors[second] for first, second in job.prepared.pairs]
    return _encoded(job.request.id, "cosine", range(len(cosines)), np.array(cosines, np.float32))


def _encoded(
    request_id: RequestId, kind: Literal["embedding", "relevance", "cosine"], indices: Sequence[int], rows: RowArray
) -> Encoded:
    return Encoded(id=request_id, kind=kind, indices=tuple(indices), data=rows.astype("<f4").tobytes())
