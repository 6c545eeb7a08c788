"""Where one request stands with its model: waiting, running or paused, and since when."""

from dataclasses import dataclass

from appliance.core.request import GenerateRequest

from .claims import Claim
from .fairness import MIN_WEIGHT
from .order import has_aged
from .pausing import REST_S
from .records import RequestRecord


@dataclass(slots=True)
class Placement:
    """A request that was let in. `cost_tokens` is the estimate, `served_s` how long it had places before a pause."""

    record: RequestRecord
    cost_tokens: float
    since_s: float
    served_s: float = 0.0
    was_paused: bool = False
    is_aged: bool = False

    @property
    def weight(self) -> float:
        """Return its caller's share of the machine."""
        return max(MIN_WEIGHT, self.record.caller.weight)

    @property
    def deadline_at_s(self) -> float | None:
        """Return when it has to be over, None for one that may take as long as it takes."""
        deadline_s = self.record.request.deadline_s
        return None if deadline_s is None else self.record.arrived_s + deadline_s

    def is_late(self, now_s: float) -> bool:
        """Return whether its deadline has passed."""
        return self.deadline_at_s is not None and now_s >= self.deadline_at_s

    def as_claim(self) -> Claim:
        """Return what admission needs to know. Rows of an encoder are computed in one go and cannot be paused."""
        request = self.record.request
        rests = self.was_paused or self.is_aged
        return Claim(
            id=request.id,
            caller=self.record.caller.id,
            weight=self.weight,
            priority=request.priority,
            num_choices=self.record.num_open_choices,
            cost_tokens=max(self.cost_tokens, self.record.used_tokens),
            arrived_s=self.record.arrived_s,
            since_s=self.since_s,
            can_pause=isinstance(request, GenerateRequest),
            is_aged=self.is_aged,
            rests_until_s=self.since_s + REST_S if rests else 0.0,
        )

    def run(self, now_s: float) -> None:
        """Note that it has its places."""
        self.is_aged = has_aged(self.as_claim(), now_s)
        self.since_s = now_s

    def pause(self, now_s: float) -> None:
        """Note that it let go of its places."""
        self.served_s += now_s - self.since_s
        self.was_paused = True
        self.since_s = now_s

    def total_served_s(self, now_s: float) -> float:
        """Return how long a running request has had places."""
        return self.served_s + now_s - self.since_s
