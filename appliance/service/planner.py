"""How an installed model would be run now: gathers what the pure choice in `backends` needs."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial

from msgspec.structs import replace

from appliance.backends.asked import Asked, Forced, MachineNow, Measured, nothing_measured
from appliance.backends.select import explain, select
from appliance.caches.kv_disk import KvDisk
from appliance.core.events import ModelStateChanged, SystemEvent
from appliance.core.fingerprint import kv_fingerprint
from appliance.core.hardware import Bandwidth, HardwareSnapshot
from appliance.core.measurement import Explanation
from appliance.core.plan import BackendDescriptor, LoadPlan
from appliance.errors import BackendError, InvalidRequest
from appliance.service.calibrations import Calibrations
from appliance.settings import Settings
from models.manifest import ModelManifest
from models.names import adapters_of, base_of
from models.store.store import ModelStore

from .devices import Devices
from .forms import Forms
from .installed import name_of


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
        measured: Measured = nothing_measured,
        devices: Devices | None = None,
    ) -> None:
        """Without `kv_disk`, nothing that a model computes is to be kept on disk; without `calibrations`, no threads
        are to be measured; without `devices`, GPUs are as the descriptors say."""
        self._store = store
        self._snapshot = snapshot
        self._descriptors = descriptors
        self._settings = settings
        self._memory = memory
        self._kv_disk = kv_disk
        self._calibrations = calibrations
        self._measured = measured
        self._devices = devices
        self._forms = Forms(store)
        self._held_bytes: dict[str, int] = {}
        self._fingerprints: dict[str, str] = {}
        self._planned: dict[str, tuple[str, str]] = {}
        self._adapted: dict[str, str] = {}

    def plan(self, model: str, manifest: ModelManifest, variant: str | None) -> LoadPlan:
        """Return the plan. Raises: ModelNotFound (the variant), BackendError, DoesNotFit."""
        if changed := self._store.changed_files(manifest):
            raise BackendError(f"model {model!r} is not what was added; add it again ({'; '.join(changed)})")
        asked = self.asked(model, manifest, variant)
        plan = select(asked, self.machine_now(None, model))
        if model not in self._held_bytes:
            self._planned[model] = plan.artefact.digest, plan.backend
        return self._completed(asked, plan)

    def explain(self, model: str, manifest: ModelManifest, variant: str | None) -> Explanation:
        """Return what would be taken now, and why not the others. Raises: ModelNotFound (the variant)."""
        asked = self.asked(model, manifest, variant)
        return explain(asked, self.machine_now(None, model), partial(self._completed, asked))

    def place(self, model: str, manifest: ModelManifest, variant: str | None, num_adapters: int) -> str:
        """Return which model is loaded so that adapters are applied to one: itself, where it runs so that they can be.

        Else the same model in the fastest variant that takes them, which is loaded beside it. Raises: InvalidRequest,
        where there is none; DoesNotFit.
        """
        held = [name for name in (model, self._adapted.get(model, "")) if name in self._held_bytes]
        for name in held:
            if self._takes_adapters(self._planned[name][1], num_adapters):
                return name
        asked, machine = self.asked(model, manifest, variant), self.machine_now(None, model)
        if not held and self._takes_adapters(select(asked, machine).backend, num_adapters):
            return model
        forced = asked.forced if variant else None  # what the settings want, they want where it can be
        try:
            plan = select(dataclasses.replace(asked, forced=forced, num_adapters=num_adapters), machine)
        except BackendError as error:
            raise InvalidRequest(error.message, param="model") from error
        self._adapted[model] = f"{model.partition('@')[0]}@{plan.variant}"
        return self._adapted[model]

    def _takes_adapters(self, backend: str, num_adapters: int) -> bool:
        found = next(descriptor for descriptor in self._descriptors if descriptor.name == backend)
        return found.max_adapters_per_step >= num_adapters

    def asked(self, model: str, manifest: ModelManifest, variant: str | None) -> Asked:
        """Return what a name asks for: the model in all its forms, and what leaves it no choice."""
        num_adapters = len(adapters_of(model))
        return Asked(
            model=model,
            forms=self._forms.of(base_of(model), manifest),
            forced=self._forced(manifest, variant) if variant or not num_adapters else None,
            num_adapters=num_adapters,
            serving=self._planned.get(model) if model in self._held_bytes else None,
        )

    def available_bytes(self) -> int:
        """Return the memory that is free, or would be if every loaded model left."""
        return self._memory() + sum(self._held_bytes.values())

    def budget_bytes(self) -> int:
        """Return what a model may use now: what is available, but for the part that models leave free."""
        reserve_bytes = int(self._settings.scheduler.memory_reserve_ratio * self._snapshot.memory.total_bytes)
        return self.available_bytes() - reserve_bytes

    def machine_now(self, bandwidth: Bandwidth | None, model: str = "") -> MachineNow:
        """Return what decides which models fit at this moment, with how fast memory was found to be read.

        What `model` holds of a GPU, if it is loaded, counts as free.
        """
        now = self._devices.describe(model, self._descriptors) if self._devices is not None else self._descriptors
        return MachineNow(self._snapshot, now, self._settings, self.budget_bytes(), bandwidth, self._measured)

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

    def _forced(self, manifest: ModelManifest, variant: str | None) -> Forced | None:
        """Return what the name asks for or, where it asks for nothing, what the settings have for it."""
        if variant is not None:
            return Forced(variant=variant, by="name")
        variants = self._settings.models.variants
        wanted = variants.get(name_of(manifest))
        return None if wanted is None or wanted == "auto" else Forced(variant=wanted, by="setting")

    def _completed(self, asked: Asked, plan: LoadPlan) -> LoadPlan:
        """Return the plan with its place on disk and the threads that are known or to be tried, if the model writes."""
        return self._with_threads(self._with_place_on_disk(plan)) if asked.task == "generate" else plan

    def _with_place_on_disk(self, plan: LoadPlan) -> LoadPlan:
        if self._kv_disk is None:
            return plan
        descriptor = next(descriptor for descriptor in self._descriptors if descriptor.name == plan.backend)
        name = self._fingerprints[plan.model] = _fingerprint(plan.artefact.digest, descriptor, plan.kv_type)
        loaded = [self._fingerprints[model] for model in self._held_bytes if model in self._fingerprints]
        return replace(plan, snapshots=self._kv_disk.place(plan.snapshots, name, loaded))

    def _with_threads(self, plan: LoadPlan) -> LoadPlan:
        if self._calibrations is None or self._settings.engine.threads is not None or plan.gpu_layers:
            return plan  # what threads are worth beside a GPU says nothing of the processor alone
        return self._calibrations.apply(plan)


def _fingerprint(digest: str, descriptor: BackendDescriptor, kv_type: str) -> str:
    return kv_fingerprint(digest=digest, backend=descriptor.name, backend_version=descriptor.version, kv_type=kv_type)
