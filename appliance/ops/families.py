"""How we make metrics: the prefix of their names, and the model as their first label."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

FIRST_TOKEN_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
"""Buckets of the time until a first token, and of the parts of that time."""


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
