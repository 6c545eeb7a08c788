"""Which requests a ready worker begins, takes up again and lays aside. Pure: no clock, no worker."""

import msgspec

from appliance.core.request import Priority, RequestId

from .claims import Demand, Places
from .fairness import Shares
from .order import in_order
from .pausing import Held


class Admitted(msgspec.Struct, frozen=True):
    """A request to begin. Within its class, the worker prefers what started lower on its caller's account."""

    id: RequestId
    start_tokens: float


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What the worker is told: first to pause, then to resume and to start, each in order."""

    pauses: tuple[RequestId, ...] = ()
    resumes: tuple[RequestId, ...] = ()
    starts: tuple[Admitted, ...] = ()


def decide(demand: Demand, shares: Shares, places: Places, now_s: float) -> Decision:
    """Return what changes now.

    A request larger than all places waits until nothing runs and then goes alone. Nothing takes a free place before
    the first that does not fit: a stream of small requests would keep it waiting for ever. Behind it, a caller without
    any place may still take the places of others, unless the first is such a caller itself.
    """
    held = Held(demand.running, places, shares)
    paused_ids = {claim.id for claim in demand.paused}
    pauses: list[RequestId] = []
    resumes: list[RequestId] = []
    starts: list[Admitted] = []
    is_blocked = False
    hopeless: set[tuple[str, Priority, int]] = set()
    for ranked in in_order(demand, shares, now_s):
        claim = ranked.claim
        if is_blocked or not held.fits(claim):
            kind = (claim.caller, claim.priority, claim.num_choices)
            victims = [] if kind in hopeless else held.make_way_for(ranked, now_s)
            if not victims:
                hopeless.add(kind)
                if held.num_of(claim.caller) == 0:
                    break
                is_blocked = True
                continue
            for victim in victims:
                held.release(victim)
                pauses.append(victim.id)
        held.take(claim)
        if claim.id in paused_ids:
            resumes.append(claim.id)
        else:
            starts.append(Admitted(claim.id, ranked.start_tokens))
    return Decision(pauses=tuple(pauses), resumes=tuple(resumes), starts=tuple(starts))
