"""What is counted of jobs: how many wait and run, how they ended, how long they took."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from appliance.core.events import JobStateChanged
from appliance.core.jobs import ENDED

_DURATION_S = (1, 10, 60, 300, 900, 1800, 3600, 7200, 21600, 86400)


class JobMetrics:
    """Counts in the registry it is given."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._active = Gauge("appliance_jobs", "Jobs that have not ended", ("kind", "state"), registry=registry)
        self._ended = Counter("appliance_jobs_ended", "Jobs that have ended", ("kind", "outcome"), registry=registry)
        self._duration_s = Histogram(
            "appliance_job_duration_seconds",
            "From a job's first start to its end",
            ("kind",),
            registry=registry,
            buckets=_DURATION_S,
        )

    def observe(self, event: JobStateChanged) -> None:
        """Count one change."""
        if event.previous is not None:
            self._active.labels(event.kind, event.previous).dec()
        if event.state not in ENDED:
            self._active.labels(event.kind, event.state).inc()
            return
        self._ended.labels(event.kind, event.state).inc()
        if event.duration_s is not None:
            self._duration_s.labels(event.kind).observe(event.duration_s)
