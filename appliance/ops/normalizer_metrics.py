"""What is counted of clients' habits: how often something was done about each."""

from prometheus_client import CollectorRegistry, Counter

from appliance.core.events import RequestNormalized


class NormalizerMetrics:
    """Counts in a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        text = "Requests in which something was done about a habit of their client"
        self._requests = Counter("appliance_normalized_requests", text, ("normalizer",), registry=registry)

    def observe(self, event: RequestNormalized) -> None:
        """Count one request."""
        self._requests.labels(event.normalizer).inc()
