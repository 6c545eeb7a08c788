"""How we make metrics: the prefix of their names, and the model as their first label."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Families:
    """Makes metrics in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """Return what only grows."""
        return Counter(f"appliance_{name}", text, ("model", *labels), registry=self._registry)

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """Return what goes up and down."""
        return Gauge(f"appliance_{name}", text, ("model", *labels), registry=self._registry)

    def histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        """Return what is observed once for each thing that happens."""
        return Histogram(f"appliance_{name}", text, ("model",), registry=self._registry, buckets=buckets)
