"""Prometheus metrics, counted from the system's events; names as vLLM's dashboards have them, with our prefix."""

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from appliance.core.events import (
    JobStateChanged,
    ModelStateChanged,
    RequestAccepted,
    RequestEnded,
    RequestQueued,
    SystemEvent,
    TokensEmitted,
)

from .job_metrics import JobMetrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_FIRST_TOKEN_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_TOKEN_S = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5)
_REQUEST_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_PROMPT_TOKENS = (16, 64, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072)
_PROBABILITY = tuple(i / 10 for i in range(1, 11))
_STATES = ("stopped", "loading", "ready", "stopping", "failed")


class Metrics:
    """Owns one registry. `observe` is called for every system event, on the scheduler's task."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=True)
        self._time_to_first_token_s = self._histogram(
            "time_to_first_token_seconds", "From arrival to a choice's first token", _FIRST_TOKEN_S
        )
        self._inter_token_latency_s = self._histogram(
            "inter_token_latency_seconds", "Between a choice's tokens", _TOKEN_S
        )
        self._queue_time_s = self._histogram(
            "request_queue_time_seconds", "From arrival until a worker took the request", _FIRST_TOKEN_S
        )
        self._duration_s = self._histogram("request_duration_seconds", "From arrival to the end", _REQUEST_S)
        self._prompt_length = self._histogram("request_prompt_tokens", "Length of prompts in tokens", _PROMPT_TOKENS)
        self._probability = self._histogram(
            "request_mean_token_probability", "Mean probability of a request's tokens", _PROBABILITY
        )
        self._prompt_tokens = self._counter("prompt_tokens", "Prompt tokens of ended requests")
        self._generation_tokens = self._counter("generation_tokens", "Generated tokens")
        self._cache_queries = self._counter("prefix_cache_queries", "Prompt tokens looked up in the prefix cache")
        self._cache_hits = self._counter("prefix_cache_hits", "Prompt tokens found in the prefix cache")
        self._requests = self._counter("requests", "Ended requests", "outcome")
        self._num_running = self._gauge("num_requests_running", "Requests that a worker has")
        self._num_waiting = self._gauge("num_requests_waiting", "Requests that wait for a worker")
        self._is_in_state = self._gauge("model_state", "1 for the state that the model is in", "state")
        self._memory_bytes = self._gauge("model_memory_bytes", "Memory of the model's worker")
        self._accepted: set[str] = set()
        self._of_tokens: dict[str, tuple[Counter, Histogram, Histogram]] = {}
        self._observers: dict[type, Callable[[Any], None]] = {
            TokensEmitted: self._tokens,
            RequestQueued: self._queued,
            RequestAccepted: self._taken,
            RequestEnded: self._ended,
            ModelStateChanged: self._model,
            JobStateChanged: JobMetrics(self._registry).observe,
        }

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def observe(self, event: SystemEvent) -> None:
        """Count one event; of some nothing is counted."""
        if observer := self._observers.get(type(event)):
            observer(event)

    def _queued(self, event: RequestQueued) -> None:
        self._num_waiting.labels(event.model).inc()

    def _taken(self, event: RequestAccepted) -> None:
        self._accepted.add(event.id)
        self._num_waiting.labels(event.model).dec()
        self._num_running.labels(event.model).inc()
        self._queue_time_s.labels(event.model).observe(event.queue_s)
        self._prompt_length.labels(event.model).observe(event.num_prompt_tokens)
        self._cache_queries.labels(event.model).inc(event.num_prompt_tokens)
        self._cache_hits.labels(event.model).inc(event.cached_tokens)

    def _tokens(self, event: TokensEmitted) -> None:
        # Every token of every stream comes by here, so the series of its model are looked up once.
        series = self._of_tokens.get(event.model)
        if series is None:
            series = self._of_tokens[event.model] = (
                self._generation_tokens.labels(event.model),
                self._time_to_first_token_s.labels(event.model),
                self._inter_token_latency_s.labels(event.model),
            )
        tokens, first, later = series
        tokens.inc(event.num_tokens)
        (first if event.is_first else later).observe(event.interval_s)

    def _ended(self, event: RequestEnded) -> None:
        was_accepted = event.id in self._accepted
        self._accepted.discard(event.id)
        (self._num_running if was_accepted else self._num_waiting).labels(event.model).dec()
        self._requests.labels(event.model, event.outcome).inc()
        self._duration_s.labels(event.model).observe(event.duration_s)
        self._prompt_tokens.labels(event.model).inc(event.prompt_tokens)
        if event.mean_token_probability is not None:
            self._probability.labels(event.model).observe(event.mean_token_probability)

    def _model(self, event: ModelStateChanged) -> None:
        for state in _STATES:
            self._is_in_state.labels(event.model, state).set(state == event.state)
        if event.state not in ("ready", "stopping"):
            self._memory_bytes.labels(event.model).set(0)
        elif event.memory_bytes is not None:
            self._memory_bytes.labels(event.model).set(event.memory_bytes)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"appliance_{name}", text, ("model", *labels), registry=self._registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"appliance_{name}", text, ("model", *labels), registry=self._registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"appliance_{name}", text, ("model",), registry=self._registry, buckets=buckets)
