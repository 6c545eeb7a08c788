"""All models as operators see them, for whoever asks every second: of many models, most views are those of before.

How a model would run here changes with the memory that is free, so views age: with every listing the oldest are made
anew, as many as a short time allows. Of few models all are, each time.
"""

import time
from collections.abc import Callable, Mapping

from appliance.core.admin import InstalledModel, LoadedModelStatus
from models.manifest import ModelManifest

ALWAYS_RENEWED = 16
RENEWAL_S = 0.002

View = Callable[[str, Mapping[str, LoadedModelStatus]], InstalledModel]


class Listing:
    """Keeps the views of models that are not in memory. One thread at a time."""

    def __init__(self, view: View, clock: Callable[[], float] = time.perf_counter) -> None:
        self._view = view
        self._clock = clock
        self._kept: dict[str, tuple[ModelManifest, InstalledModel]] = {}
        """By age, the oldest first."""

    def views(
        self, manifests: Mapping[str, ModelManifest], loaded: Mapping[str, LoadedModelStatus]
    ) -> tuple[InstalledModel, ...]:
        """Return the views in the order of the manifests; those of models in memory are always new."""
        kept = self._kept
        for name in [name for name, (manifest, _) in kept.items() if manifests.get(name) is not manifest]:
            del kept[name]
        before = [name for name in kept if name not in loaded]
        began_s = self._clock()
        for number, name in enumerate(before):
            if number >= ALWAYS_RENEWED and self._clock() >= began_s + RENEWAL_S:
                break
            del kept[name]
            self._make(name, manifests[name])
        for name, manifest in manifests.items():
            if name not in kept and name not in loaded:
                self._make(name, manifest)
        return tuple(self._view(name, loaded) if name in loaded else kept[name][1] for name in manifests)

    def _make(self, name: str, manifest: ModelManifest) -> None:
        self._kept[name] = (manifest, self._view(name, {}))
