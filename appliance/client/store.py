"""The store's routes as typed methods: aliases, versions, garbage, scrubs and adapters."""

from urllib.parse import quote

from appliance.core.admin import InstalledModel, Removed
from appliance.core.jobs import Job
from appliance.core.store import (
    Adapters,
    AdapterView,
    AddAdapter,
    AliasModel,
    CollectedGarbage,
    CollectGarbage,
    ModelVersions,
    RollBackModel,
    ScrubModels,
)

from .transport import Transport, quoted


class StoreCalls:
    """What the client can ask of the store. Every method raises: NoDaemon, ClientError."""

    _transport: Transport

    def alias(self, name: str, alias: str) -> InstalledModel:
        """Let `alias` mean what a model's name means now."""
        body = AliasModel(model=name, alias=alias)
        return self._transport.call("POST", "/admin/v1/models/alias", InstalledModel, body)

    def versions(self, name: str) -> ModelVersions:
        """Return what a name means and has meant."""
        return self._transport.call("GET", "/admin/v1/versions/" + quoted(name), ModelVersions)

    def roll_back(self, name: str, version: int | None = None) -> ModelVersions:
        """Let a name mean again what it meant before."""
        body = RollBackModel(model=name, version=version)
        return self._transport.call("POST", "/admin/v1/models/rollback", ModelVersions, body)

    def collect_garbage(self, *, is_dry_run: bool = False, keep_versions: int | None = None) -> CollectedGarbage:
        """Delete what belongs to no model, or only say what that is."""
        body = CollectGarbage(is_dry_run=is_dry_run, keep_versions=keep_versions)
        return self._transport.call("POST", "/admin/v1/models/gc", CollectedGarbage, body)

    def scrub(self, name: str | None = None, max_bytes_per_s: float | None = None) -> Job:
        """Give in a job that compares models with their digests."""
        body = ScrubModels(model=name, max_bytes_per_s=max_bytes_per_s)
        return self._transport.call("POST", "/admin/v1/models/scrub", Job, body)

    def adapters(self) -> tuple[AdapterView, ...]:
        """Return the LoRA adapters, each with the models that it fits."""
        return self._transport.call("GET", "/admin/v1/adapters", Adapters).adapters

    def add_adapter(
        self, path: str, *, name: str | None = None, copy: bool = False, base: str | None = None
    ) -> AdapterView:
        """Take in an adapter on the daemon's machine."""
        body = AddAdapter(path=path, name=name, copy=copy, base=base)
        return self._transport.call("POST", "/admin/v1/adapters", AdapterView, body)

    def remove_adapter(self, name: str) -> Removed:
        """Forget an adapter and delete what only it used."""
        return self._transport.call("DELETE", "/admin/v1/adapters/" + quote(name, safe=""), Removed)
