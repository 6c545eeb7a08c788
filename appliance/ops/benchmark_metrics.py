"""Metrics of what was measured of models: how fast each is, in each way in which it can run here."""

from appliance.core.events import ModelBenchmarked

from .families import Families


class BenchmarkMetrics:
    """Shows what was measured since the start; the label is the name that forces that way of running the model."""

    def __init__(self, families: Families) -> None:
        self._prefill = families.gauge("measured_prefill_tokens_per_second", "Of a long prompt, measured while idle")
        self._decode = families.gauge(
            "measured_decode_tokens_per_second", "Of all sequences together, measured while idle", "sequences"
        )

    def observe(self, event: ModelBenchmarked) -> None:
        """Take what counts: of what was disturbed nothing is shown."""
        speed = event.measurement.speed
        if event.measurement.is_disturbed:
            return
        self._prefill.labels(event.candidate).set(speed.prefill[-1].tokens_per_s)
        if speed.decode_1_tokens_per_s is not None:
            self._decode.labels(event.candidate, "1").set(speed.decode_1_tokens_per_s)
        if speed.decode_8_tokens_per_s is not None:
            self._decode.labels(event.candidate, "8").set(speed.decode_8_tokens_per_s)
