"""How long a request will wait: its position, and an estimate of the time. Pure."""

import heapq
from collections.abc import Iterable, Sequence

import msgspec

from .claims import Places

MIN_REMAINING_RATIO = 0.25
"""What a running request is taken to need at least, of a mean request's time: one that runs for long may go on."""


class QueuePlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request stands in the queue: 1 is next. `estimated_wait_s` None: its model was never loaded before."""

    position: int
    estimated_wait_s: float | None


def estimate_wait_s(
    sizes: Sequence[int], running: Iterable[tuple[int, float]], places: Places, mean_duration_s: float
) -> float:
    """Return when the last of those who wait begins, if each takes its turn and a mean request's time.

    `sizes` are the choices of each in the order of the queue, the last being the one asked about; `running` are the
    choices of each running request with how long it has run.
    """
    ends_s: list[float] = []
    for num_choices, served_s in running:
        remaining_s = max(mean_duration_s - served_s, MIN_REMAINING_RATIO * mean_duration_s)
        ends_s += [remaining_s] * num_choices
    ends_s += [0.0] * (places.max_handed_over - len(ends_s))
    heapq.heapify(ends_s)
    begins_s = 0.0
    for size in sizes:
        num_places = min(size, len(ends_s))
        begins_s = max(heapq.heappop(ends_s) for _ in range(num_places))
        for _ in range(num_places):
            heapq.heappush(ends_s, begins_s + mean_duration_s)
    return begins_s
