"""What the commands can say of the catalogue without a daemon, with nothing loaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.backends.registry import descriptors
from appliance.core.catalogue import CatalogueAnswer, Fit, ImportCatalogue, ImportedCatalogue, Purpose
from appliance.errors import ApplianceError
from appliance.hardware.bandwidth import measure_bandwidth
from appliance.hardware.memory import memory_available_bytes
from appliance.hardware.probe import probe
from appliance.service.catalogue import CatalogueService
from appliance.service.installed import Installed
from appliance.service.planner import Planner
from appliance.service.recommend import Wish
from appliance.settings import Settings
from models.catalogue.imported import ImportedCatalogues
from models.store.store import ModelStore

from .exits import REFUSED, CommandError


class OfflineCatalogue:
    """The client's calls of the catalogue, on the files of one home."""

    _home: Path
    _store: ModelStore
    _installed: Installed
    _settings: Settings

    def catalogue(
        self,
        *,
        purpose: Purpose | None = None,
        language: str | None = None,
        query: str = "",
        with_bandwidth: bool = False,
    ) -> CatalogueAnswer:
        """Return the models that are meant, the best for this machine first."""
        return self._service(with_bandwidth).search(Wish(purpose, language, tuple(query.split())))

    def fit(self, name: str, *, with_bandwidth: bool = False) -> Fit:
        """Return how a model fits this machine."""
        return self._service(with_bandwidth).fit(name)

    def import_catalogue(self, name: str, text: str, signature: str) -> ImportedCatalogue:
        """Take in a signed catalogue."""
        with _refusal():
            return self._service(False).take_in(ImportCatalogue(name=name, text=text, signature=signature))

    def _service(self, with_bandwidth: bool) -> CatalogueService:
        snapshot = probe()
        bandwidth = measure_bandwidth(snapshot.processor.usable_cores) if with_bandwidth else None
        backends = descriptors(snapshot)
        planner = Planner(self._store, snapshot, backends, self._settings, memory_available_bytes)
        catalogues = ImportedCatalogues(self._home, self._settings.models.catalogue_keys)
        return CatalogueService(catalogues, self._installed, lambda: planner.machine_now(bandwidth))


@contextmanager
def _refusal() -> Iterator[None]:
    try:
        yield
    except ApplianceError as error:
        raise CommandError(error.message, REFUSED) from error
