"""One request on its way through the daemon: what it asked, where it stands, and the system events it gives rise to."""

from dataclasses import dataclass, field

from appliance.core.caller import Caller
from appliance.core.events import (
    Accepted,
    Delta,
    Finished,
    Outcome,
    RequestAccepted,
    RequestEnded,
    RequestQueued,
    TokensEmitted,
)
from appliance.core.request import Request

from .admission import Waiting


@dataclass(slots=True)
class RequestRecord:
    """The daemon's account of a request that was let in."""

    request: Request
    caller: Caller
    arrived_s: float
    prompt_tokens: int = 0
    cached_tokens: int = 0
    outcome: Outcome = "stop"
    _tokens: dict[int, int] = field(default_factory=dict)
    _last_token_s: dict[int, float] = field(default_factory=dict)
    _probabilities: dict[int, float] = field(default_factory=dict)
    _finished: set[int] = field(default_factory=set)

    @property
    def num_open_choices(self) -> int:
        """Return how many choices have not ended."""
        return self.request.num_choices - len(self._finished)

    def as_waiting(self) -> Waiting:
        """Return what admission needs to know."""
        deadline_s = self.request.deadline_s
        return Waiting(
            id=self.request.id,
            num_choices=self.request.num_choices,
            priority=self.request.priority,
            arrived_s=self.arrived_s,
            deadline_at_s=None if deadline_s is None else self.arrived_s + deadline_s,
        )

    def queued(self) -> RequestQueued:
        """Return the event of its arrival."""
        return RequestQueued(id=self.request.id, model=self.request.model, caller=self.caller.id)

    def accept(self, event: Accepted, now_s: float) -> RequestAccepted:
        """Note that the worker has it."""
        self.prompt_tokens = event.num_prompt_tokens
        self.cached_tokens = event.cached_tokens
        return RequestAccepted(
            id=event.id,
            model=self.request.model,
            num_prompt_tokens=event.num_prompt_tokens,
            cached_tokens=event.cached_tokens,
            queue_s=now_s - self.arrived_s,
        )

    def extend(self, event: Delta, now_s: float) -> TokensEmitted:
        """Note more tokens of one choice."""
        is_first = event.choice not in self._last_token_s
        interval_s = now_s - self._last_token_s.get(event.choice, self.arrived_s)
        self._last_token_s[event.choice] = now_s
        self._tokens[event.choice] = self._tokens.get(event.choice, 0) + event.num_tokens
        return TokensEmitted(
            id=event.id,
            model=self.request.model,
            num_tokens=event.num_tokens,
            interval_s=interval_s,
            is_first=is_first,
        )

    def finish(self, event: Finished) -> None:
        """Note the end of one choice. A request of which any choice was cut by its length counts as cut."""
        self._finished.add(event.choice)
        self._tokens[event.choice] = event.usage.completion_tokens
        self.prompt_tokens = event.usage.prompt_tokens
        if event.mean_token_probability is not None:
            self._probabilities[event.choice] = event.mean_token_probability
        if event.reason == "length":
            self.outcome = "length"

    def ended(self, outcome: Outcome, now_s: float, error: str | None = None) -> RequestEnded:
        """Return the event of its end."""
        return RequestEnded(
            id=self.request.id,
            model=self.request.model,
            caller=self.caller.id,
            outcome=outcome,
            duration_s=now_s - self.arrived_s,
            prompt_tokens=self.prompt_tokens,
            cached_tokens=self.cached_tokens,
            completion_tokens=sum(self._tokens.values()),
            mean_token_probability=self._mean_probability(),
            error=error,
        )

    def _mean_probability(self) -> float | None:
        num_tokens = sum(self._tokens[choice] for choice in self._probabilities)
        if num_tokens == 0:
            return None
        return sum(mean * self._tokens[choice] for choice, mean in self._probabilities.items()) / num_tokens
