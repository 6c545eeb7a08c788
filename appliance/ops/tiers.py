"""All places where something computed is kept, for people who look: cells, prefixes in memory and on disk, answers."""

from collections.abc import Callable
from pathlib import Path

from appliance.caches.kv_sweep import kept_bytes
from appliance.core.admin import LoadedModelStatus
from appliance.core.response_cache import CacheFigures, CacheTier

from .requests import RequestLog


class CacheTiers:
    """Counts them when asked. `models` returns the rows of the models that have a worker."""

    def __init__(
        self,
        models: Callable[[], tuple[LoadedModelStatus, ...]],
        requests: RequestLog,
        kv_folder: Path,
        max_kv_disk_bytes: int,
    ) -> None:
        self._models, self._requests = models, requests
        self._kv_folder, self._max_kv_disk_bytes = kv_folder, max_kv_disk_bytes

    def of_models(self) -> tuple[CacheTier, ...]:
        """Return what loaded models keep in memory."""
        ready = [model for model in self._models() if model.state == "ready"]
        return tuple(tier for model in ready for tier in self._of(model))

    def on_disk(self, answers: CacheFigures) -> tuple[CacheTier, ...]:
        """Return what lies on the disk, and all of the response cache. Waits for the disk: call it from a thread."""
        kv_bytes = kept_bytes(self._kv_folder)
        num_asked = answers.num_hits + answers.num_misses + answers.num_shared
        ratio = (answers.num_hits + answers.num_shared) / num_asked if num_asked else None
        return (
            CacheTier(name="prefixes_on_disk", model=None, used_bytes=kv_bytes, max_bytes=self._max_kv_disk_bytes),
            CacheTier(
                name="answers",
                model=None,
                used_bytes=answers.memory_bytes,
                max_bytes=answers.max_memory_bytes,
                cached_ratio=ratio,
            ),
            CacheTier(
                name="answers_on_disk", model=None, used_bytes=answers.disk_bytes, max_bytes=answers.max_disk_bytes
            ),
        )

    def _of(self, model: LoadedModelStatus) -> tuple[CacheTier, CacheTier]:
        cells = CacheTier(
            name="kv",
            model=model.name,
            used_bytes=None,
            max_bytes=None,
            used_tokens=model.kv_used_tokens,
            max_tokens=model.kv_capacity_tokens,
            cached_ratio=self._requests.recent_of(model.name).cached_ratio,
        )
        beside = CacheTier(
            name="prefixes",
            model=model.name,
            used_bytes=model.prefix_memory_bytes,
            max_bytes=model.max_prefix_memory_bytes,
        )
        return cells, beside
