"""What the commands can say of the catalogue, and of how models would run, without a daemon, with nothing loaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from appliance.backends.kernels import kernels_in_use, with_kernels
from appliance.backends.registry import descriptors, versions
from appliance.core.catalogue import CatalogueAnswer, Fit, ImportCatalogue, ImportedCatalogue, Purpose
from appliance.core.hardware import HardwareSnapshot
from appliance.core.measurement import Explanation
from appliance.errors import ApplianceError
from appliance.hardware.bandwidth import measure_bandwidth
from appliance.hardware.memory import memory_available_bytes
from appliance.hardware.probe import probe
from appliance.service.catalogue import CatalogueService
from appliance.service.explain import Explainer
from appliance.service.installed import Installed
from appliance.service.measurements import Measurements
from appliance.service.planner import Planner
from appliance.service.recommend import Wish
from appliance.service.tunings import Tunings
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

    def explain(self, name: str) -> Explanation:
        """Return how a model would be run, and why not otherwise."""
        return Explainer(self._installed, self._planner(probe()).explain).explain(name)

    def import_catalogue(self, name: str, text: str, signature: str) -> ImportedCatalogue:
        """Take in a signed catalogue."""
        with _refusal():
            return self._service(False).take_in(ImportCatalogue(name=name, text=text, signature=signature))

    def _service(self, with_bandwidth: bool) -> CatalogueService:
        snapshot = probe()
        bandwidth = measure_bandwidth(snapshot.processor.usable_cores) if with_bandwidth else None
        planner = self._planner(snapshot)
        catalogues = ImportedCatalogues(self._home, self._settings.models.catalogue_keys)
        return CatalogueService(catalogues, self._installed, lambda: planner.machine_now(bandwidth), planner.asked)

    def _planner(self, snapshot: HardwareSnapshot) -> Planner:
        folder, libraries = self._home / "calibration", versions()
        tiles = Tunings(folder, snapshot.processor, partial(kernels_in_use, snapshot)).tiles()
        measurements = Measurements(folder, snapshot, partial(with_kernels, libraries, snapshot, tiles))
        return Planner(
            self._store,
            snapshot,
            descriptors(snapshot),
            self._settings,
            memory_available_bytes,
            measured=measurements.find,
        )


@contextmanager
def _refusal() -> Iterator[None]:
    try:
        yield
    except ApplianceError as error:
        raise CommandError(error.message, REFUSED) from error
