"""How an installed model would be run now: gathers what the pure choice in `backends` needs."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from appliance.backends.registry import adopted_by
from appliance.backends.select import select
from appliance.caches.kv_disk import KvDisk
from appliance.core.events import ModelStateChanged, SystemEvent
from appliance.core.fingerprint import kv_fingerprint
from appliance.core.hardware import Bandwidth, HardwareSnapshot
from appliance.core.plan import Artefact, BackendDescriptor, LoadPlan
from appliance.errors import BackendError, ModelNotFound
from appliance.service.calibrations import Calibrations
from appliance.settings import Settings
from models.manifest import ModelManifest
from models.store.store import ModelStore

from .fit import MachineNow
from .installed import artefact_of


class Planner:
    """Plans with the memory that is free and with what loaded models hold, since the scheduler can evict those."""

    def __init__(
        self,
        store: ModelStore,
        snapshot: HardwareSnapshot,
        descriptors: Sequence[BackendDescriptor],
        settings: Settings,
        memory: Callable[[], int],
        kv_disk: KvDisk | None = None,
        calibrations: Calibrations | None = None,
    ) -> None:
        """Without `kv_disk`, nothing that a model computes is to be kept on disk; without `calibrations`, no threads
        are to be measured."""
        self._store = store
        self._snapshot = snapshot
        self._descriptors = descriptors
        self._settings = settings
        self._memory = memory
        self._kv_disk = kv_disk
        self._calibrations = calibrations
        self._held_bytes: dict[str, int] = {}
        self._fingerprints: dict[str, str] = {}

    def plan(self, model: str, manifest: ModelManifest, variant: str | None) -> LoadPlan:
        """Return the plan. Raises: ModelNotFound (the variant), BackendError, DoesNotFit."""
        if changed := self._store.changed_files(manifest):
            raise BackendError(f"model {model!r} is not what was added; add it again ({'; '.join(changed)})")
        artefact = artefact_of(self._store, manifest)
        plan = select(
            model,
            artefact,
            manifest.details,
            self._snapshot,
            self._able(model, manifest, variant, artefact),
            self._settings.engine,
            self._settings.kv,
            memory_available_bytes=self.available_bytes(),
            memory_reserve_ratio=self._settings.scheduler.memory_reserve_ratio,
        )
        return self._with_threads(self._with_place_on_disk(plan)) if manifest.details.task == "generate" else plan

    def available_bytes(self) -> int:
        """Return the memory that is free, or would be if every loaded model left."""
        return self._memory() + sum(self._held_bytes.values())

    def budget_bytes(self) -> int:
        """Return what a model may use now: what is available, but for the part that models leave free."""
        reserve_bytes = int(self._settings.scheduler.memory_reserve_ratio * self._snapshot.memory.total_bytes)
        return self.available_bytes() - reserve_bytes

    def machine_now(self, bandwidth: Bandwidth | None) -> MachineNow:
        """Return what decides which models fit at this moment, with how fast memory was found to be read."""
        return MachineNow(self._snapshot, self._descriptors, self._settings, self.budget_bytes(), bandwidth)

    def fingerprints(self) -> frozenset[str]:
        """Return the name of every folder of kept prefixes that an installed model could use. From any thread."""
        return frozenset(
            _fingerprint(manifest.digest, descriptor, kv_type)
            for manifest in self._store.list()
            for descriptor in self._descriptors
            if manifest.format in descriptor.formats
            for kv_type in descriptor.kv_types
        )

    def observe(self, event: SystemEvent) -> None:
        """Note the memory of models as they come and go."""
        if isinstance(event, ModelStateChanged):
            self._held_bytes.pop(event.model, None)
            if event.state == "ready" and event.memory_bytes is not None:
                self._held_bytes[event.model] = event.memory_bytes

    def _with_place_on_disk(self, plan: LoadPlan) -> LoadPlan:
        if self._kv_disk is None:
            return plan
        descriptor = next(descriptor for descriptor in self._descriptors if descriptor.name == plan.backend)
        name = self._fingerprints[plan.model] = _fingerprint(plan.artefact.digest, descriptor, plan.kv_type)
        loaded = [self._fingerprints[model] for model in self._held_bytes if model in self._fingerprints]
        return replace(plan, snapshots=self._kv_disk.place(plan.snapshots, name, loaded))

    def _with_threads(self, plan: LoadPlan) -> LoadPlan:
        if self._calibrations is None or self._settings.engine.threads is not None:
            return plan
        return self._calibrations.apply(plan)

    def _able(
        self, model: str, manifest: ModelManifest, variant: str | None, artefact: Artefact
    ) -> Sequence[BackendDescriptor]:
        """Return the backends that the variant leaves: the one that it names, or all when it names the file's own.

        First stands the one that the model was made ready for.
        """
        if variant is None or variant == manifest.details.quantization:
            adopted = adopted_by(artefact, self._snapshot) if self._settings.engine.kernels == "auto" else None
            return sorted(self._descriptors, key=lambda descriptor: descriptor.name != adopted)
        named = [descriptor for descriptor in self._descriptors if descriptor.name == variant]
        if not named:
            raise ModelNotFound(f"{model!r}: there is no variant {variant!r} of this model", param="model")
        return named


def _fingerprint(digest: str, descriptor: BackendDescriptor, kv_type: str) -> str:
    return kv_fingerprint(digest=digest, backend=descriptor.name, backend_version=descriptor.version, kv_type=kv_type)
