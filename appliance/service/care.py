"""Care of the models: taking one in, giving one up, loading, unloading, pinning."""

import asyncio
import time
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any

import msgspec

from appliance.backends.made_model import MadeModel, MadeModels
from appliance.core.admin import AddModel, Done, InstalledModel, LoadedModelStatus, Progress, ProgressEvent, Removed
from appliance.core.jobs import Job, JobProgress, JsonObject, KeptModel, Tell, tell_nobody
from appliance.core.quantized import KeptModels
from appliance.errors import ApplianceError, Conflict, InvalidRequest, ModelNotFound
from appliance.scheduler.loop import SchedulerLoop
from models.manifest import ModelManifest
from models.names import adapters_of
from models.store.intake import AddProgress
from models.store.store import ModelStore

from .adapters import adapted_view
from .adoption import Adoption
from .installed import Installed, name_of
from .store_errors import store_errors
from .store_views import origin_of


class ModelCare:
    """What an operator does to models. Files are read and deleted on another thread than the daemon's own."""

    def __init__(
        self, store: ModelStore, installed: Installed, scheduler: SchedulerLoop, adoption: Adoption | None = None
    ) -> None:
        """Without `adoption`, a new model runs as its files are."""
        self._store = store
        self._installed = installed
        self._scheduler = scheduler
        self._adoption = adoption

    def models(self) -> tuple[InstalledModel, ...]:
        """Return all models."""
        return self._installed.views(self._loaded())

    def model(self, name: str) -> InstalledModel:
        """Return one model, which may be named with adapters. Raises: ModelNotFound."""
        canonical = self._installed.resolve_adapted(name)
        view = self._installed.view(canonical, self._loaded())
        return adapted_view(view, canonical, [self._installed.adapters.get(each) for each in adapters_of(canonical)])

    async def usable(self) -> tuple[InstalledModel, ...]:
        """Return all names that requests can be for: models, and those with each adapter that fits them."""
        views = {view.name: view for view in self.models()}
        pairs = await asyncio.to_thread(self._installed.adapters.usable, self._installed.manifests())
        known = [(views[name], adapter) for model, adapter in pairs if (name := name_of(model)) in views]
        return (*views.values(), *(adapted_view(view, f"{view.name}+{each.name}", [each]) for view, each in known))

    async def add(self, order: AddModel) -> AsyncIterator[ProgressEvent]:
        """Take a file in, yielding progress and at last `Done`. Raises: InvalidRequest, Conflict."""
        adding = self._store.add(Path(order.path), order.name, order.copy, time.time(), origin_of(order), order.replace)
        with store_errors():
            async for step in _on_a_thread(adding):
                if isinstance(step, ModelManifest):
                    self._take_up(step)
                    async for ratio in self.adopted(step):
                        yield Progress(text="compiling for this processor", done=ratio, total=1.0, unit="ratio")
                    yield Done(model=self.model(name_of(step)))
                else:
                    yield Progress(text=step.text, done=step.done_bytes, total=step.total_bytes, unit="bytes")

    async def keep_made(self, job: Job, result: JsonObject, tell: Tell = tell_nobody) -> JsonObject:
        """Copy what a job has made into the store; its result is then a `KeptModel`, or `KeptModels` for several.

        Raises: InvalidRequest, or Conflict, where another model took the name while the job ran; those of several that
        were kept before stay.
        """
        kept: KeptModel | KeptModels
        if "made" in result:
            several = msgspec.convert(result, MadeModels)
            names = [(await self._keep(each, tell)).model for each in several.made]
            kept = KeptModels(models=tuple(names), comparison=several.comparison)
        else:
            kept = await self._keep(msgspec.convert(result, MadeModel), tell)
        return msgspec.to_builtins(kept)  # type: ignore[no-any-return]  # a struct becomes a dict

    async def _keep(self, made: MadeModel, tell: Tell) -> KeptModel:
        projector = self._projector_for(made)
        order = AddModel(path=made.folder, name=made.name, copy=True, made_of=made.made_of, projector=projector)
        last: ProgressEvent | None = None
        async for last in self.add(order):
            if isinstance(last, Progress):
                tell(JobProgress(text=last.text, done=last.done, total=last.total, unit=last.unit))
        assert isinstance(last, Done)  # an intake that does not end with it raises
        return KeptModel(model=last.model.name, quality=last.model.quality)

    def _projector_for(self, made: MadeModel) -> str | None:
        """Return the projector of the model that a GGUF file was made of: it goes with this one as with that."""
        if not made.folder.endswith(".gguf"):
            return None
        origins = (manifest for manifest in self._store.list() if manifest.digest == made.made_of)
        return next((manifest.projector_path for manifest in origins), None)

    async def remove(self, name: str) -> Removed:
        """Forget a model that is not in memory. Raises: ModelNotFound, Conflict."""
        canonical = self._installed.resolve(name)
        if status := self.status(canonical):
            raise Conflict(f"model {canonical!r} is {status.state}; unload it first")
        manifest = self._store.get(canonical)
        with store_errors():
            freed_bytes = await asyncio.to_thread(self._store.remove, canonical)
        self._installed.refresh()
        kept_path = manifest.adopted_path if manifest else None
        return Removed(name=canonical, freed_bytes=freed_bytes, kept_path=kept_path)

    async def removable(self, name: str) -> Removed:
        """Return what `remove` would free, also of a model that is in memory. Raises: ModelNotFound, InvalidRequest."""
        canonical = self._installed.resolve(name)
        manifest = self._store.get(canonical)
        with store_errors():
            freed_bytes = await asyncio.to_thread(self._store.removable_bytes, canonical)
        return Removed(name=canonical, freed_bytes=freed_bytes, kept_path=manifest.adopted_path if manifest else None)

    async def discard(self, name: str) -> Removed:
        """Forget a model, which leaves memory first. Raises: ModelNotFound, Conflict, InvalidRequest."""
        canonical = self._installed.resolve(name)
        if self._installed.manifest(canonical).files[0].role == "embedded":
            raise InvalidRequest(f"{canonical!r} is part of the appliance and cannot be removed", param="model")
        await self._scheduler.unload(canonical)
        return await self.remove(canonical)

    async def load(self, name: str) -> AsyncIterator[ProgressEvent]:
        """Bring a model into memory, yielding progress and at last `Done`; its adapters follow when they are used.

        Raises: what loading raises.
        """
        canonical = self._installed.resident(self._installed.resolve_adapted(name))
        async for ratio in self._scheduler.load(canonical):
            yield Progress(text=f"loading {canonical}", done=ratio, total=1.0, unit="ratio")
        yield Done(model=self.model(canonical))

    async def unload(self, name: str) -> None:
        """Take a model out of memory; what runs on it is finished first."""
        await self._scheduler.unload(self._installed.resolve(name))

    def _take_up(self, manifest: ModelManifest) -> None:
        """Let a model be used that came in just now, also under a name that meant another."""
        name = name_of(manifest)
        if manifest.version > 1 and self._installed.manifest(name).digest != manifest.digest:
            self.renew(name)
        else:
            self._installed.refresh()

    def renew(self, canonical: str) -> None:
        """Let a name mean what it means in the store now; answers under way end with what it meant before."""
        self._installed.refresh()
        for status in self._scheduler.status():
            if status.name.partition("@")[0] == canonical:
                self._scheduler.renew(status.name)

    async def keep_compiled(self, job: Job, result: JsonObject, tell: Tell = tell_nobody) -> JsonObject:
        """Let what is in memory of a model that was compiled move to where it runs from now on."""
        self.move(str(result["model"]))
        return result

    def move(self, canonical: str) -> None:
        """Let what is in memory of a model go where it would be loaded now; answers under way end where they are."""
        for status in self._scheduler.status():
            if status.name.partition("@")[0] == canonical and status.backend != self._backend(status.name):
                self._scheduler.renew(status.name)

    def _backend(self, name: str) -> str | None:
        """Return where a model would run if it were loaded now."""
        try:
            return self._installed.plan(name).backend
        except ApplianceError:
            return None

    def keep(self, name: str, keep_alive_s: float) -> None:
        """Let a model stay for so long once nobody uses it; it still leaves when another needs its memory.

        Raises: ModelNotFound; Conflict, where a pinned one is to leave at once.
        """
        if keep_alive_s == 0:
            status = self.status(name)
            if status is None:
                return
            if status.is_pinned:
                raise Conflict(f"model {name!r} is pinned; let it go first: appliance models pin {name} --off")
        self._scheduler.keep(self._installed.resident(self._installed.resolve_adapted(name)), keep_alive_s)

    def status(self, name: str) -> LoadedModelStatus | None:
        """Return how a model is in memory, None when it is not there."""
        try:
            status = self._loaded().get(self._installed.resident(self._installed.resolve_adapted(name)))
        except ModelNotFound:
            return None
        return status if status is not None and status.state in ("loading", "ready", "stopping") else None

    def context_tokens(self, name: str) -> int | None:
        """Return the context that a model has, or would have if it were loaded now; None where it cannot be."""
        status = self.status(name)
        return status.context_tokens if status else self.model(name).context_tokens

    def in_memory(self) -> tuple[tuple[InstalledModel, LoadedModelStatus], ...]:
        """Return all models that are in memory, or on their way there."""
        loaded = self._loaded()
        here = [status for status in loaded.values() if status.state in ("loading", "ready")]
        return tuple((self._installed.view(status.name, loaded), status) for status in here)

    def pin(self, name: str, is_pinned: bool) -> None:
        """Keep a model in memory whatever happens, or let it go again when it is idle."""
        self._scheduler.pin(self._installed.resolve(name), is_pinned)

    async def adopted(self, manifest: ModelManifest) -> AsyncIterator[float]:
        """Make a new model ready for what computes it fastest here, yielding how far that is, a ratio."""
        if self._adoption is not None:
            name = name_of(manifest)
            async for ratio in self._adoption.run(name, self._installed.artefact(name), manifest.details):
                yield ratio

    def _loaded(self) -> dict[str, LoadedModelStatus]:
        return {status.name: status for status in self._scheduler.status()}


async def _on_a_thread(
    adding: Generator[AddProgress, None, ModelManifest],
) -> AsyncIterator[AddProgress | ModelManifest]:
    """Yield what the generator yields and then what it returns; each step runs on a worker thread."""

    def step() -> AddProgress | ModelManifest:
        try:
            return next(adding)
        except StopIteration as end:
            manifest: ModelManifest = end.value
            return manifest

    running: asyncio.Future[Any] | None = None
    try:
        while True:
            running = asyncio.ensure_future(asyncio.to_thread(step))
            result = await asyncio.shield(running)
            yield result
            if isinstance(result, ModelManifest):
                return
    finally:
        if running is not None and not running.done():
            # A generator cannot be closed while a thread is inside it
            await asyncio.wait({running})
        await asyncio.to_thread(adding.close)
