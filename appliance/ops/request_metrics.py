"""What is counted when a request is over: how it ended, what it cost, where its time went."""

from appliance.core.events import RequestEnded

from .families import FIRST_TOKEN_S, Families

_REQUEST_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_TOKENS_PER_S = (1, 2.5, 5, 7.5, 10, 15, 20, 30, 40, 60, 80, 100, 150, 200, 300, 500, 1000)
_PROBABILITY = tuple(i / 10 for i in range(1, 11))


class RequestMetrics:
    """Takes the ends of requests."""

    def __init__(self, families: Families) -> None:
        self._requests = families.counter("requests", "Ended requests", "outcome")
        self._prompt_tokens = families.counter("prompt_tokens", "Prompt tokens of ended requests")
        self._draft_tokens = families.counter("spec_decode_num_draft_tokens", "Tokens that were guessed ahead")
        self._accepted_tokens = families.counter("spec_decode_num_accepted_tokens", "Guessed tokens that were right")
        self._duration_s = families.histogram("request_duration_seconds", "From arrival to the end", _REQUEST_S)
        self._prefill_s = families.histogram(
            "request_prefill_time_seconds", "From a request's place to its first token", FIRST_TOKEN_S
        )
        self._decode_s = families.histogram(
            "request_decode_time_seconds", "From a request's first token to its last", _REQUEST_S
        )
        self._decode_tokens_per_s = families.histogram(
            "request_decode_tokens_per_second", "Speed of a request's tokens after the first", _TOKENS_PER_S
        )
        self._probability = families.histogram(
            "request_mean_token_probability", "Mean probability of a request's tokens", _PROBABILITY
        )

    def observe(self, event: RequestEnded) -> None:
        """Count one request."""
        model = event.model
        self._requests.labels(model, event.outcome).inc()
        self._prompt_tokens.labels(model).inc(event.prompt_tokens)
        self._draft_tokens.labels(model).inc(event.accepted_draft_tokens + event.rejected_draft_tokens)
        self._accepted_tokens.labels(model).inc(event.accepted_draft_tokens)
        self._duration_s.labels(model).observe(event.duration_s)
        if event.timings is not None:
            self._prefill_s.labels(model).observe(event.timings.prefill_s)
            if event.decode_tokens_per_s is not None:
                self._decode_s.labels(model).observe(event.timings.decode_s)
                self._decode_tokens_per_s.labels(model).observe(event.decode_tokens_per_s)
        if event.mean_token_probability is not None:
            self._probability.labels(model).observe(event.mean_token_probability)
