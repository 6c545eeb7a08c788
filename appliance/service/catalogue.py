"""The catalogue for operators: searched and ranked for this machine, one model judged, a signed file taken in."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from appliance.backends.asked import Asked, MachineNow
from appliance.core.catalogue import CatalogueAnswer, CatalogueItem, Fit, ImportCatalogue, ImportedCatalogue
from appliance.errors import InvalidRequest, ModelNotFound
from models.catalogue.catalogue import Catalogue, CatalogueError, Chosen
from models.catalogue.imported import ImportedCatalogues
from models.errors import StoreError
from models.finding.facts import ModelFacts, read_facts
from models.manifest import ModelManifest

from .fit import fit, subject_of_entry, subject_of_installed
from .installed import Installed
from .recommend import Wish, recommend
from .store_errors import store_errors

Ask = Callable[[str, ModelManifest, str | None], Asked]
"""`(model, manifest, variant)`: what would be run under the name of an installed model."""


class CatalogueService:
    """Answers from files, so each call belongs on a thread. `machine` says what the machine is and has free now."""

    def __init__(
        self,
        catalogues: ImportedCatalogues,
        installed: Installed,
        machine: Callable[[], MachineNow],
        asked: Ask,
    ) -> None:
        self._catalogues = catalogues
        self._installed = installed
        self._machine = machine
        self._asked = asked

    def search(self, wish: Wish) -> CatalogueAnswer:
        """Return the models that are meant, the best for this machine first."""
        machine = self._machine()
        items = recommend(self._catalogues.catalogue(), machine, wish)
        here = self._references_here()
        return CatalogueAnswer(
            models=tuple(replace(item, is_installed=_is_here(item, here)) for item in items),
            budget_bytes=max(0, machine.budget_bytes),
            notes=_notes(machine),
        )

    def fit(self, name: str) -> Fit:
        """Judge one model: an installed one, else one of the catalogue. Raises: ModelNotFound, InvalidRequest."""
        try:
            canonical = self._installed.resolve(name)
        except ModelNotFound as missing:
            return self._fit_of_catalogue(name, missing)
        manifest = self._installed.manifest(canonical)
        asked = self._asked(canonical, manifest, canonical.partition("@")[2] or None)
        notes: tuple[str, ...] = ()
        try:
            facts = read_facts(manifest, Path(asked.forms[0].artefact.path))
        except StoreError as error:  # a file that was moved away still has a name here, and its details
            facts, notes = ModelFacts({}, None, False), (str(error),)
        subject = subject_of_installed(canonical, manifest, asked, facts)
        return fit(dataclasses.replace(subject, notes=notes), self._machine())

    def reference_for(self, name: str) -> Chosen:
        """Return what a bare name, or `NAME:QUANTIZATION`, stands for. Raises: CatalogueError."""
        return self._catalogues.catalogue().reference_for(name)

    def take_in(self, order: ImportCatalogue) -> ImportedCatalogue:
        """Keep a signed catalogue. Raises: InvalidRequest, with what is wrong with it or its signature."""
        with store_errors():
            entries, signed = self._catalogues.take_in(order.name, order.text.encode(), order.signature)
        names = tuple(entry.model.name for entry in entries)
        return ImportedCatalogue(name=order.name, models=names, key=str(signed.key), comment=signed.comment)

    def _fit_of_catalogue(self, name: str, missing: ModelNotFound) -> Fit:
        catalogue: Catalogue = self._catalogues.catalogue()
        if catalogue.get(name) is None:
            raise ModelNotFound(f"{missing.message}; the catalogue does not have it either", param="model")
        try:
            chosen = catalogue.reference_for(name)
        except CatalogueError as error:
            raise InvalidRequest(str(error), param="model") from None
        sources = chosen.entry.model.sources
        source = next(source for source in sources if chosen.reference.startswith(source.reference))
        return fit(subject_of_entry(chosen.entry, source, chosen.quantization, chosen.reference), self._machine())

    def _references_here(self) -> tuple[str, ...]:
        """Return the names of what is installed, and where it came from."""
        manifests = self._installed.manifests()
        origins = [manifest.provenance.reference for manifest in manifests if manifest.provenance]
        return (*(manifest.name for manifest in manifests), *origins)


def _is_here(item: CatalogueItem, here: tuple[str, ...]) -> bool:
    references = {reference.partition("@")[0] for reference in here}
    repositories = {":".join(reference.split(":")[:2]) for reference in references}
    return item.name in here or any(
        reference in references or ":".join(reference.split(":")[:2]) in repositories for reference in item.references
    )


def _notes(machine: MachineNow) -> tuple[str, ...]:
    """Say what the ranks rest on, and what of the machine they leave out."""
    notes = []
    if machine.bandwidth is None:
        notes.append("speeds are predicted for an assumed memory; --measure reads the memory for a second first")
    used = {device for descriptor in machine.descriptors for device in descriptor.devices}
    gpus = [accelerator.name or accelerator.vendor for accelerator in machine.snapshot.accelerators]
    if gpus and used <= {"cpu"}:
        notes.append(f"{' and '.join(gpus)}: no backend that is installed uses it, so it counts for nothing here")
    return tuple(notes)
