"""Prometheus metrics, counted from the system's events; names as vLLM's dashboards have them, with our prefix."""

from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from appliance.core.events import (
    AnswerLookedUp,
    JobStateChanged,
    MachineEased,
    ModelBenchmarked,
    ModelMeasured,
    ModelPlaced,
    ModelStateChanged,
    RequestAccepted,
    RequestEnded,
    RequestNormalized,
    RequestQueued,
    SystemEvent,
    TokensEmitted,
)

from .benchmark_metrics import BenchmarkMetrics
from .cache_metrics import CacheMetrics
from .families import FIRST_TOKEN_S, Families
from .job_metrics import JobMetrics
from .model_metrics import ModelMetrics
from .normalizer_metrics import NormalizerMetrics
from .request_metrics import RequestMetrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_TOKEN_S = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5)
_PROMPT_TOKENS = (16, 64, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072)


class Metrics:
    """Owns one registry. `observe` is called for every system event, on the scheduler's task."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=True)
        families = Families(self._registry)
        self._time_to_first_token_s = families.histogram(
            "time_to_first_token_seconds", "From arrival to a choice's first token", FIRST_TOKEN_S
        )
        self._inter_token_latency_s = families.histogram(
            "inter_token_latency_seconds", "Between a choice's tokens", _TOKEN_S
        )
        self._queue_time_s = families.histogram(
            "request_queue_time_seconds", "From arrival until a worker took the request", FIRST_TOKEN_S
        )
        self._prompt_length = families.histogram("request_prompt_tokens", "Length of prompts in tokens", _PROMPT_TOKENS)
        self._generation_tokens = families.counter("generation_tokens", "Generated tokens")
        self._cache_queries = families.counter("prefix_cache_queries", "Prompt tokens looked up in the prefix cache")
        self._cache_hits = families.counter("prefix_cache_hits", "Prompt tokens found in the prefix cache")
        self._num_running = families.gauge("num_requests_running", "Requests that a worker has")
        self._num_waiting = families.gauge("num_requests_waiting", "Requests that wait for a worker")
        self._of_ended = RequestMetrics(families)
        self._accepted: set[str] = set()
        self._of_tokens: dict[str, tuple[Counter, Histogram, Histogram]] = {}
        of_models = ModelMetrics(families)
        work_ratio = Gauge(
            "appliance_work_ratio", "Part of full work that heat and battery allow", registry=self._registry
        )
        work_ratio.set(1.0)
        self._observers: dict[type, Callable[[Any], None]] = {
            TokensEmitted: self._tokens,
            RequestQueued: self._queued,
            RequestAccepted: self._taken,
            RequestEnded: self._ended,
            ModelStateChanged: of_models.changed,
            ModelMeasured: of_models.measured,
            ModelPlaced: of_models.placed,
            JobStateChanged: JobMetrics(self._registry).observe,
            ModelBenchmarked: BenchmarkMetrics(families).observe,
            AnswerLookedUp: CacheMetrics(families).observe,
            RequestNormalized: NormalizerMetrics(self._registry).observe,
            MachineEased: lambda event: work_ratio.set(event.easing.work_ratio),
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
        self._of_ended.observe(event)
