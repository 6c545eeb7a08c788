"""Care of the store: names and versions of models, garbage, and whether all is as it was taken in."""

import asyncio
import time

import msgspec

from appliance.core.admin import InstalledModel
from appliance.core.jobs import Job, JobKind, JsonObject, Tell
from appliance.core.store import AliasModel, CollectedGarbage, CollectGarbage, ModelVersions, RollBackModel, ScrubModels
from models.store.garbage import GarbagePolicy
from models.store.scrub import ScrubReport
from models.store.store import ModelStore

from .care import ModelCare
from .installed import Installed, name_of
from .store_errors import store_errors
from .store_views import garbage_view, scrub_view, versions_view

SCRUB = JobKind(name="scrub", module="appliance.service.scrub_job", arguments=ScrubModels)


class StoreCare:
    """What an operator does to the store. Files are read and deleted on another thread than the daemon's own."""

    def __init__(self, store: ModelStore, installed: Installed, care: ModelCare, keep_versions: int) -> None:
        self._store = store
        self._installed = installed
        self._care = care
        self._keep_versions = keep_versions

    async def alias(self, order: AliasModel) -> InstalledModel:
        """Let a name mean what another means now. Raises: ModelNotFound, Conflict, InvalidRequest."""
        source = self._installed.resolve(order.model)
        with store_errors():
            manifest = await asyncio.to_thread(self._store.alias, source, order.alias, time.time())
        self._care.renew(name_of(manifest))
        return self._care.model(name_of(manifest))

    async def versions(self, name: str) -> ModelVersions:
        """Return what a name means and has meant. Raises: ModelNotFound."""
        canonical = self._installed.resolve(name)
        with store_errors():
            return await asyncio.to_thread(versions_view, self._store, canonical)

    async def roll_back(self, order: RollBackModel) -> ModelVersions:
        """Let a name mean again what it meant before. Raises: ModelNotFound, InvalidRequest."""
        canonical = self._installed.resolve(order.model)
        with store_errors():
            await asyncio.to_thread(self._store.rollback, canonical, order.version)
        self._care.renew(canonical)
        return await self.versions(canonical)

    async def collect_garbage(self, order: CollectGarbage, *, keep_downloads: bool) -> CollectedGarbage:
        """Delete what nothing needs, or say what that is. `keep_downloads`: some may still go on."""
        keep_versions = self._keep_versions if order.keep_versions is None else order.keep_versions
        policy = GarbagePolicy(keep_versions=keep_versions, keep_downloads=keep_downloads)
        with store_errors():
            report = await asyncio.to_thread(
                self._store.collect_garbage, policy, time.time(), is_dry_run=order.is_dry_run
            )
        return garbage_view(report, is_dry_run=order.is_dry_run)

    async def keep_scrubbed(self, job: Job, result: JsonObject, tell: Tell) -> JsonObject:
        """Note what a job `scrub` found, so that a damaged model is not loaded; what is said of it is short."""
        report = msgspec.convert(result, ScrubReport)
        with store_errors():
            await asyncio.to_thread(self._store.note_scrub, report)
        said: JsonObject = msgspec.to_builtins(scrub_view(report))
        return said
