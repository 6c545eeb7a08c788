"""In which order requests get places: by class, then in fair order, and nobody waits for ever. Pure."""

from collections import defaultdict, deque
from collections.abc import Callable, Sequence

import msgspec

from appliance.core.request import Priority

from .claims import Claim, Demand
from .fairness import Shares

AGEING_TOKENS_PER_S = 10.0
"""How far waiting moves a request forward among those of its class, in tokens of its caller's account."""

PATIENCE_S: dict[Priority, float] = {"interactive": float("inf"), "normal": 30.0, "batch": 300.0}
"""Once somebody of a class has waited for so long, the first of the class competes with the class above it."""


class Ranked(msgspec.Struct, frozen=True):
    """A claim with where it starts on its caller's account. `order_tokens` is that, less what waiting moved it."""

    claim: Claim
    start_tokens: float
    order_tokens: float


def has_aged(claim: Claim, now_s: float) -> bool:
    """Return whether a request that waits or is paused has done so for longer than its class has patience."""
    return now_s - claim.since_s >= PATIENCE_S[claim.priority]


def in_order(demand: Demand, shares: Shares, now_s: float) -> list[Ranked]:
    """Return those who wait and those who are paused, first to be served first.

    A caller's paused requests come before its waiting ones of the same class. Only the first of a class competes with
    the class above: fairness inside a class holds however long its callers let their requests queue up.
    """
    claims = [*sorted(demand.paused, key=lambda claim: claim.arrived_s), *demand.waiting]
    starts: dict[str, float] = {c.caller: shares.used(c.caller) for c in claims}
    for running in demand.running:
        if running.caller in starts:
            starts[running.caller] += running.virtual_tokens
    classes: tuple[list[Ranked], ...] = ([], [], [])
    for rank, members in enumerate(classes):
        members += _fair_order([c for c in claims if c.rank == rank], starts, now_s)
    interactive, normal, batch = classes
    is_normal_aged = any(has_aged(ranked.claim, now_s) for ranked in normal)
    is_batch_aged = any(has_aged(ranked.claim, now_s) for ranked in batch)
    lower = _merge(normal, batch, lambda ranked: is_batch_aged)
    return _merge(interactive, lower, lambda ranked: is_normal_aged and ranked.claim.priority == "normal")


def _fair_order(claims: Sequence[Claim], starts: dict[str, float], now_s: float) -> list[Ranked]:
    """Return the claims of one class in fair order; moves each caller's entry in `starts` past its own."""
    least: defaultdict[str, float] = defaultdict(lambda: float("-inf"))
    ranked = []
    for claim in claims:
        start = starts[claim.caller]
        # Never before what stands ahead of it in the same caller's line, though it may have waited for longer
        order = least[claim.caller] = max(least[claim.caller], start - AGEING_TOKENS_PER_S * (now_s - claim.since_s))
        ranked.append(Ranked(claim, start, order))
        starts[claim.caller] += claim.virtual_tokens
    return sorted(ranked, key=lambda r: r.order_tokens)


def _merge(higher: Sequence[Ranked], lower: Sequence[Ranked], competes: Callable[[Ranked], bool]) -> list[Ranked]:
    ahead, behind = deque(higher), deque(lower)
    merged = []
    while ahead and behind:
        goes_first = competes(behind[0]) and behind[0].order_tokens < ahead[0].order_tokens
        merged.append(behind.popleft() if goes_first else ahead.popleft())
    return [*merged, *ahead, *behind]
