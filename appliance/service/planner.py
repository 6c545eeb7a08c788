"""How an installed model would be run now: gathers what the pure choice in `backends` needs."""

from collections.abc import Callable, Sequence

from appliance.backends.select import select
from appliance.core.events import ModelStateChanged, SystemEvent
from appliance.core.hardware import HardwareSnapshot
from appliance.core.plan import Artefact, BackendDescriptor, LoadPlan
from appliance.errors import BackendError, ModelNotFound
from appliance.settings import Settings
from models.manifest import ModelManifest
from models.store import ModelStore


class Planner:
    """Plans with the memory that is free and with what loaded models hold, since the scheduler can evict those."""

    def __init__(
        self,
        store: ModelStore,
        snapshot: HardwareSnapshot,
        descriptors: Sequence[BackendDescriptor],
        settings: Settings,
        memory: Callable[[], int],
    ) -> None:
        self._store = store
        self._snapshot = snapshot
        self._descriptors = descriptors
        self._settings = settings
        self._memory = memory
        self._held_bytes: dict[str, int] = {}

    def plan(self, model: str, manifest: ModelManifest, variant: str | None) -> LoadPlan:
        """Return the plan. Raises: ModelNotFound (the variant), BackendError, DoesNotFit."""
        if changed := self._store.changed_files(manifest):
            raise BackendError(f"model {model!r} is not what was added; add it again ({'; '.join(changed)})")
        held_bytes = sum(self._held_bytes.values())
        return select(
            model,
            Artefact(
                format=manifest.format,
                path=str(self._store.opened_path(manifest)),
                digest=manifest.digest,
                compiled_path=str(self._store.compiled_path(manifest)),
            ),
            manifest.details,
            self._snapshot,
            self._able(model, manifest, variant),
            self._settings.engine,
            memory_available_bytes=self._memory() + held_bytes,
            memory_reserve_ratio=self._settings.scheduler.memory_reserve_ratio,
        )

    def observe(self, event: SystemEvent) -> None:
        """Note the memory of models as they come and go."""
        if isinstance(event, ModelStateChanged):
            self._held_bytes.pop(event.model, None)
            if event.state == "ready" and event.memory_bytes is not None:
                self._held_bytes[event.model] = event.memory_bytes

    def _able(self, model: str, manifest: ModelManifest, variant: str | None) -> Sequence[BackendDescriptor]:
        """Return the backends that the variant leaves: the one that it names, or all when it names the file's own."""
        if variant is None or variant == manifest.details.quantization:
            return self._descriptors
        named = [descriptor for descriptor in self._descriptors if descriptor.name == variant]
        if not named:
            raise ModelNotFound(f"{model!r}: there is no variant {variant!r} of this model", param="model")
        return named
