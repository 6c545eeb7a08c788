"""What the commands can do without a daemon: the client's verbs, on the files themselves and under their locks.

A model here is never in memory, and nothing is known of what it would get there.
"""

import os
import time
from collections.abc import Generator, Iterator
from pathlib import Path

from appliance.backends.registry import WORKSHOPS
from appliance.client import Client
from appliance.core.admin import AddModel, CreatedKey, Done, InstalledModel, KeyInfo, Progress, Removed
from appliance.core.caller import Scope
from appliance.core.plan import LoadPlan
from appliance.errors import ApplianceError
from appliance.hardware.probe import probe
from appliance.ops.keys import KeyStore
from appliance.service.adoption import Adoption
from appliance.service.installed import Installed, name_of
from appliance.service.store_views import origin_of
from appliance.words import tr
from models.manifest import ModelManifest
from models.store.store import ModelStore

from .config import read_settings
from .context import Context
from .offline_catalogue import OfflineCatalogue
from .offline_store import OfflineStore, refusals

KEYS_FILE = Path("keys")


def daemon_or_files(context: Context) -> "Client | Offline":
    """Return the daemon's client; without a daemon, unless one was named, the files of this home."""
    client = context.client()
    if context.names_daemon or client.is_healthy():
        return client
    act_as_owner(context.home)
    return Offline(context)


class Offline(OfflineCatalogue, OfflineStore):
    """The files of one home. Every method raises: CommandError, ApplianceError."""

    def __init__(self, context: Context) -> None:
        self._home = context.home
        self._keys = KeyStore(context.home / KEYS_FILE)
        self._settings = read_settings(context).settings
        self._store = ModelStore(context.home, WORKSHOPS, self._settings.models.allowed_licences)
        self._installed = Installed(self._store, _unplanned, self._settings.models.default_model)

    def models(self) -> tuple[InstalledModel, ...]:
        """Return the installed models."""
        return self._installed.views({})

    def model(self, name: str) -> InstalledModel:
        """Return one installed model."""
        return self._installed.view(self._installed.resolve(name), {})

    def add_model(
        self, path: str, *, name: str | None = None, copy: bool = False
    ) -> Generator[Progress | Done, None, None]:
        """Adopt a file; the last event is `Done`."""
        return self.adopt(AddModel(path=path, name=name, copy=copy))

    def adopt(self, order: AddModel) -> Generator[Progress | Done, None, None]:
        """Adopt a file with all that is known of it; the last event is `Done`."""
        with refusals():
            adding = self._store.add(
                Path(order.path), order.name, order.copy, time.time(), origin_of(order), order.replace
            )
            while True:
                try:
                    step = next(adding)
                except StopIteration as end:
                    yield from self._adopted(end.value)
                    yield Done(model=self.model(name_of(end.value)))
                    return
                yield Progress(text=step.text, done=step.done_bytes, total=step.total_bytes, unit="bytes")

    def _adopted(self, manifest: ModelManifest) -> Iterator[Progress]:
        adoption, name = Adoption(probe(), is_on=self._settings.engine.kernels == "auto"), name_of(manifest)
        for ratio in adoption.steps(name, self._installed.artefact(name), manifest.details):
            yield Progress(text=tr("compiling for this processor"), done=ratio, total=1.0, unit="ratio")

    def remove(self, name: str) -> Removed:
        """Forget an installed model and delete what only it used."""
        with refusals():
            manifest = self._store.get(name)
            freed_bytes = self._store.remove(name)
        return Removed(name=name, freed_bytes=freed_bytes, kept_path=manifest.adopted_path if manifest else None)

    def keys(self) -> tuple[KeyInfo, ...]:
        """Return the keys' names and scopes."""
        return self._keys.infos()

    def create_key(self, name: str, scope: Scope = "use") -> CreatedKey:
        """Make a key; the answer is the only place that shows it."""
        return self._keys.create(name, scope)

    def revoke_key(self, name: str) -> None:
        """Make a key invalid from now on."""
        self._keys.revoke(name)


def act_as_owner(home: Path) -> None:
    """As root, go on as the user to whom the state belongs: the daemon could not read what root writes."""
    if os.geteuid() != 0 or not home.exists():
        return
    owner = home.stat()
    if owner.st_uid != 0:
        os.setgroups([owner.st_gid])
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)


def _unplanned(model: str, manifest: ModelManifest, variant: str | None) -> LoadPlan:
    raise ApplianceError(tr("without a daemon it is not known how this model would be run"))
