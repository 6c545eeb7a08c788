"""The wire structs of `/admin/v1/history`: what the box did lately, in equal steps, for charts full at once."""

import msgspec


class GpuStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What an accelerator does now. None: its driver does not say."""

    id: str
    name: str | None
    busy_ratio: float | None
    memory_used_bytes: int | None
    memory_total_bytes: int | None
    celsius: float | None
    watts: float | None


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The step that ended at `time_s` (Unix time). Rates are means over it; None: nothing happened that would tell.

    `ttft_s` is the median of the first tokens in it, `cached_ratio` that of prompt tokens found in the prefix cache.
    The figures of GPUs are of all together: the busiest, the sum of memory and power, the hottest.
    """

    time_s: float
    tokens_per_s: float
    ttft_s: float | None
    num_running: int
    num_waiting: int
    cached_ratio: float | None
    cpu_busy_ratio: float
    memory_used_bytes: int
    temperature_celsius: float | None
    power_watts: float | None
    gpu_busy_ratio: float | None = None
    gpu_memory_used_bytes: int | None = None
    gpu_celsius: float | None = None
    gpu_watts: float | None = None


class History(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `GET /admin/v1/history`: the oldest first, `interval_s` apart."""

    interval_s: float
    samples: tuple[Sample, ...]
