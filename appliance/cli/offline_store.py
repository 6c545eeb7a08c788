"""What the commands can do to the store without a daemon: names, versions, garbage and adapters."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.core.admin import InstalledModel, Removed
from appliance.core.store import AdapterView, CollectedGarbage, ModelVersions
from appliance.service.adapter_care import AdapterCare, remove_adapter
from appliance.service.installed import Installed, name_of
from appliance.service.store_views import garbage_view, versions_view
from appliance.settings import Settings
from models.errors import StoreError
from models.names import InvalidModelName
from models.store.garbage import GarbagePolicy
from models.store.store import ModelStore

from .exits import REFUSED, CommandError


class OfflineStore:
    """The client's verbs on the store of one home. Every method raises: CommandError, ApplianceError."""

    _store: ModelStore
    _installed: Installed
    _settings: Settings

    def alias(self, name: str, alias: str) -> InstalledModel:
        """Let `alias` mean what a model's name means now."""
        with refusals():
            manifest = self._store.alias(name, alias, time.time())
        self._installed.refresh()
        return self._installed.view(name_of(manifest), {})

    def versions(self, name: str) -> ModelVersions:
        """Return what a name means and has meant."""
        with refusals():
            return versions_view(self._store, self._installed.resolve(name))

    def roll_back(self, name: str, version: int | None = None) -> ModelVersions:
        """Let a name mean again what it meant before."""
        with refusals():
            self._store.rollback(name, version)
        return self.versions(name)

    def collect_garbage(self, *, is_dry_run: bool = False, keep_versions: int | None = None) -> CollectedGarbage:
        """Delete what belongs to no model, or only say what that is; downloads may go on when a daemon is back."""
        kept = self._settings.models.keep_versions if keep_versions is None else keep_versions
        policy = GarbagePolicy(keep_versions=kept, keep_downloads=True)
        with refusals():
            report = self._store.collect_garbage(policy, time.time(), is_dry_run=is_dry_run)
        return garbage_view(report, is_dry_run=is_dry_run)

    def adapters(self) -> tuple[AdapterView, ...]:
        """Return the LoRA adapters, each with the models that it fits."""
        return AdapterCare(self._store, self._installed).views()

    def add_adapter(
        self, path: str, *, name: str | None = None, copy: bool = False, base: str | None = None
    ) -> AdapterView:
        """Take an adapter in."""
        manifest = None if base is None else self._installed.manifest(self._installed.resolve(base))
        with refusals():
            added = self._store.adapters.add(Path(path), name, copy, time.time(), manifest)
        return AdapterCare(self._store, self._installed).view(added)

    def remove_adapter(self, name: str) -> Removed:
        """Forget an adapter and delete what only it used."""
        with refusals():
            return remove_adapter(self._store, name)


@contextmanager
def refusals() -> Iterator[None]:
    """Turn the store's errors into those that end a command."""
    try:
        yield
    except (StoreError, InvalidModelName) as error:
        raise CommandError(str(error), REFUSED) from error
