"""A request as admission sees it, and what a worker has to give. Values only."""

from collections.abc import Sequence

import msgspec

from appliance.core.request import PRIORITY_RANK, Priority, RequestId

NUM_SPARE_CHOICES = 2
"""Handed over beyond a step's places, so that the worker has the next prompt at hand when a place falls free."""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What a request wants: places for `num_choices` choices that have not ended, about `cost_tokens` in all.

    `since_s` is when it came to stand where it stands: waiting, running or paused. Until `rests_until_s` only a higher
    class may pause it, and nobody when `is_aged`: when it has its places because it had waited for too long.
    """

    id: RequestId
    caller: str
    weight: float
    priority: Priority
    num_choices: int
    cost_tokens: float
    arrived_s: float
    since_s: float
    can_pause: bool = True
    is_aged: bool = False
    rests_until_s: float = 0.0

    @property
    def rank(self) -> int:
        """Return the rank of its class: the lower goes first."""
        return PRIORITY_RANK[self.priority]

    @property
    def virtual_tokens(self) -> float:
        """Return its cost as its caller's account is charged."""
        return self.cost_tokens / self.weight


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody who wants something of one worker. Those who wait stand in the order of their arrival."""

    waiting: Sequence[Claim] = ()
    paused: Sequence[Claim] = ()
    running: Sequence[Claim] = ()


class Places(msgspec.Struct, frozen=True, kw_only=True):
    """What one model's worker takes: in a step, and at all."""

    max_step_sequences: int
    max_sequences: int

    @property
    def max_handed_over(self) -> int:
        """Return how many choices the worker is given at a time."""
        return self.max_step_sequences + NUM_SPARE_CHOICES
