"""What is counted of the response cache: where answers came from, and what that saved."""

from appliance.core.events import AnswerLookedUp

from .families import Families


class CacheMetrics:
    """Counts in the registry of the families it is given."""

    def __init__(self, families: Families) -> None:
        self._requests = families.counter("response_cache_requests", "Requests that the cache was asked for", "outcome")
        self._saved_tokens = families.counter("response_cache_saved_tokens", "Tokens answered without generating them")
        self._saved_s = families.counter("response_cache_saved_seconds", "Seconds that those took the first time")

    def observe(self, event: AnswerLookedUp) -> None:
        """Count one look."""
        self._requests.labels(event.model, event.outcome).inc()
        if event.outcome == "hit":
            self._saved_tokens.labels(event.model).inc(event.saved_tokens)
            self._saved_s.labels(event.model).inc(event.saved_s)
