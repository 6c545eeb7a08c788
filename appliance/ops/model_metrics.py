"""What is measured of models: their state, their memory, their KV cache."""

from appliance.core.events import ModelMeasured, ModelPlaced, ModelStateChanged

from .families import Families

_STATES = ("stopped", "loading", "ready", "stopping", "failed")


class ModelMetrics:
    """Takes the events of models and of their workers."""

    def __init__(self, families: Families) -> None:
        self._is_in_state = families.gauge("model_state", "1 for the state that the model is in", "state")
        self._memory_bytes = families.gauge("model_memory_bytes", "Memory of the model's worker")
        self._kv_usage = families.gauge("kv_cache_usage_ratio", "Part of the KV cache in use, idle prefixes included")
        self._preemptions = families.counter("num_preemptions", "Sequences that gave way in a full KV cache")
        self._fell_back = families.gauge(
            "device_fallback", "1 while the model is computed elsewhere than planned", "planned", "device"
        )
        self._fallbacks = families.counter("num_device_fallbacks", "Loads that went elsewhere than planned")
        self._places: dict[str, tuple[str, str]] = {}
        self._num_preemptions: dict[str, int] = {}

    def changed(self, event: ModelStateChanged) -> None:
        """Note the model's state. Without a process it holds no memory."""
        for state in _STATES:
            self._is_in_state.labels(event.model, state).set(state == event.state)
        if event.state not in ("ready", "stopping"):
            if place := self._places.pop(event.model, None):
                self._fell_back.labels(event.model, *place).set(0)
            self._memory_bytes.labels(event.model).set(0)
            self._kv_usage.labels(event.model).set(0)
            self._num_preemptions[event.model] = 0  # its next worker counts from the beginning
        elif event.memory_bytes is not None:
            self._memory_bytes.labels(event.model).set(event.memory_bytes)

    def placed(self, event: ModelPlaced) -> None:
        """Note a model that went elsewhere than planned."""
        if event.placed.problem is not None:
            place = self._places[event.model] = event.planned, event.placed.device
            self._fell_back.labels(event.model, *place).set(1)
            self._fallbacks.labels(event.model).inc()

    def measured(self, event: ModelMeasured) -> None:
        """Note what a worker told."""
        num_before = self._num_preemptions.get(event.model, 0)
        self._preemptions.labels(event.model).inc(event.num_preemptions - num_before)
        self._num_preemptions[event.model] = event.num_preemptions
        if event.kv_capacity_tokens:
            self._kv_usage.labels(event.model).set(event.kv_used_tokens / event.kv_capacity_tokens)
