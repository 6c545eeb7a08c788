"""One request on its way through the daemon: what it asked, where it stands, and the system events it gives rise to."""

from dataclasses import dataclass, field

from appliance.core.caller import Caller
from appliance.core.events import (
    Accepted,
    Delta,
    Finished,
    ModelMeasured,
    Outcome,
    RequestAccepted,
    RequestEnded,
    RequestPaused,
    RequestQueued,
    Timings,
    TokensEmitted,
)
from appliance.core.messages import Stats
from appliance.core.request import Request


@dataclass(slots=True)
class RequestRecord:
    """The daemon's account of a request that was let in."""

    request: Request
    caller: Caller
    arrived_s: float
    prompt_tokens: int = 0
    cached_tokens: int = 0
    outcome: Outcome = "stop"
    _timings: Timings | None = None
    _decode_tokens_per_s: float | None = None
    _accepted_drafts: int = 0
    _rejected_drafts: int = 0
    _tokens: dict[int, int] = field(default_factory=dict)
    _last_token_s: dict[int, float] = field(default_factory=dict)
    _probabilities: dict[int, float] = field(default_factory=dict)
    _finished: set[int] = field(default_factory=set)

    @property
    def num_open_choices(self) -> int:
        """Return how many choices have not ended."""
        return self.request.num_choices - len(self._finished)

    @property
    def num_written_tokens(self) -> int:
        """Return the tokens of all choices so far."""
        return sum(self._tokens.values())

    @property
    def used_tokens(self) -> int:
        """Return what it cost to compute: what was found in the cache cost nothing."""
        return self.prompt_tokens - self.cached_tokens + self.num_written_tokens

    def queued(self) -> RequestQueued:
        """Return the event of its arrival."""
        request = self.request
        return RequestQueued(id=request.id, model=request.model, caller=self.caller.id, priority=request.priority)

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

    def paused(self, is_paused: bool) -> RequestPaused:
        """Return the event of its pause, or of the end of it."""
        return RequestPaused(id=self.request.id, model=self.request.model, is_paused=is_paused)

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
        self._accepted_drafts += event.usage.accepted_draft_tokens
        self._rejected_drafts += event.usage.rejected_draft_tokens
        if event.choice == 0:  # the others copy its prompt, and their time in prefill is its time
            self._timings = event.timings
            self._decode_tokens_per_s = _rate(event.usage.completion_tokens - 1, event.timings.decode_s)
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
            completion_tokens=self.num_written_tokens,
            accepted_draft_tokens=self._accepted_drafts,
            rejected_draft_tokens=self._rejected_drafts,
            timings=self._timings,
            decode_tokens_per_s=self._decode_tokens_per_s,
            mean_token_probability=self._mean_probability(),
            error=error,
        )

    def _mean_probability(self) -> float | None:
        num_tokens = sum(self._tokens[choice] for choice in self._probabilities)
        if num_tokens == 0:
            return None
        return sum(mean * self._tokens[choice] for choice, mean in self._probabilities.items()) / num_tokens


def measured(model: str, stats: Stats, kv_capacity_tokens: int) -> ModelMeasured:
    """Return the event of what a worker told of itself."""
    return ModelMeasured(
        model=model,
        kv_used_tokens=stats.kv_used_tokens,
        kv_capacity_tokens=kv_capacity_tokens,
        num_preemptions=stats.num_preemptions,
    )


def _rate(num_tokens: int, duration_s: float) -> float | None:
    return num_tokens / duration_s if num_tokens > 0 and duration_s > 0 else None
