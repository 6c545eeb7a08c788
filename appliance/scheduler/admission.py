"""Which waiting requests go to a ready worker, and which are turned away. Pure: no clock, no worker."""

from collections.abc import Sequence

import msgspec

from appliance.core.events import ModelState
from appliance.core.request import PRIORITY_RANK, Priority, RequestId
from appliance.core.units import format_seconds
from appliance.errors import ApplianceError, InvalidRequest, ModelLoading, QueueFull

NUM_SPARE_CHOICES = 2
"""Handed over beyond a step's places, so that the worker has the next prompt at hand when a place falls free."""

MIN_RETRY_S = 1.0
MAX_RETRY_S = 60.0


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A request in the queue. `deadline_at_s` is None for one that waits as long as it takes."""

    id: RequestId
    num_choices: int
    priority: Priority
    arrived_s: float
    deadline_at_s: float | None


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """What one model's worker takes: in a step, and at all."""

    max_step_sequences: int
    max_sequences: int


def in_order(waiting: Sequence[Waiting]) -> list[Waiting]:
    """Return the requests in the order in which they are served: by class, then by arrival."""
    return sorted(waiting, key=lambda w: (PRIORITY_RANK[w.priority], w.arrived_s))


def choose(waiting: Sequence[Waiting], num_running_choices: int, places: Places) -> tuple[RequestId, ...]:
    """Return the requests that go to the worker now, in order.

    A request larger than all places waits until nothing runs and then goes alone. Nothing overtakes the first that
    does not fit: a stream of small requests would keep it waiting for ever.
    """
    limit = places.max_step_sequences + NUM_SPARE_CHOICES
    chosen = []
    num_choices = num_running_choices
    for request in in_order(waiting):
        if num_choices > 0 and num_choices + request.num_choices > limit:
            break
        chosen.append(request.id)
        num_choices += request.num_choices
    return tuple(chosen)


def num_ahead(waiting: Sequence[Waiting], request_id: RequestId) -> int | None:
    """Return how many requests are served before this one, None when it does not wait."""
    ids = [w.id for w in in_order(waiting)]
    return ids.index(request_id) if request_id in ids else None


def too_many_choices(num_choices: int, places: Places) -> InvalidRequest | None:
    """Return the refusal of a request with more choices than the model can ever hold."""
    if num_choices <= places.max_sequences:
        return None
    return InvalidRequest(
        f"n is {num_choices}, this model answers at most {places.max_sequences} choices at once; ask for fewer",
        param="n",
    )


def queue_full(num_waiting: int, mean_duration_s: float, places: Places) -> QueueFull:
    """Return the refusal of a request that finds the queue full, with the time in which the queue is worked off."""
    wait_s = num_waiting * mean_duration_s / places.max_step_sequences
    return QueueFull(
        f"{num_waiting} requests wait already; try again later",
        retry_after_s=min(MAX_RETRY_S, max(MIN_RETRY_S, wait_s)),
    )


def past_deadline(request: Waiting, state: ModelState, now_s: float) -> ApplianceError | None:
    """Return the end of a request that waited past its deadline, None for one that may go on waiting."""
    if request.deadline_at_s is None or now_s < request.deadline_at_s:
        return None
    waited = format_seconds(now_s - request.arrived_s)
    if state == "ready":
        return QueueFull(
            f"no place fell free within the request's deadline (it waited {waited}); try again later",
            retry_after_s=MIN_RETRY_S,
        )
    return ModelLoading(
        f"the model was not loaded within the request's deadline (it waited {waited}); try again later",
        retry_after_s=MIN_RETRY_S,
    )
