"""Which models there are, by the names that callers use, and how each would be run here."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches

import msgspec

from appliance.core.admin import InstalledModel, LoadedModelStatus, ModelLoss
from appliance.core.plan import Artefact, LoadPlan
from appliance.core.traits import ModelTask
from appliance.errors import ApplianceError, InvalidRequest, ModelNotFound, can_do, wrong_task
from models.catalogue.name_check import check_name, evidence_of
from models.manifest import ModelManifest, ModelPreset
from models.names import InvalidModelName, ModelName
from models.store.store import ModelStore

from .listing import Listing
from .store_views import provenance_view

Planner = Callable[[str, ModelManifest, str | None], LoadPlan]
"""`(model, manifest, variant) -> plan`; raises ApplianceError where the model cannot run on this machine."""


class Installed:
    """Owns the daemon's view of the store: read at start, after each change, and when a name is not known."""

    def __init__(self, store: ModelStore, planner: Planner, default_model: str) -> None:
        self._store = store
        self._planner = planner
        self._stored: list[ModelManifest] = []
        self._manifests: dict[str, ModelManifest] = {}
        self._listing = Listing(self.view)
        self.refresh()
        self.default_model = _canonical(default_model)

    def refresh(self) -> None:
        """Read the store again."""
        stored = self._store.list()
        if stored != self._stored:
            self._stored, self._manifests = stored, {name_of(manifest): manifest for manifest in stored}

    def resolve(self, name: str | None) -> str:
        """Return the canonical name of what a caller named, None being the default model.

        Raises: ModelNotFound, with the nearest name; InvalidRequest, for what no version of a model can be.
        """
        if not name:
            return self.default_model
        canonical = _canonical(name)
        self.manifest(canonical)
        return canonical

    def task(self, canonical: str) -> ModelTask:
        """Return what a model is for; one that is not there yet is expected to write."""
        try:
            return self.manifest(canonical).details.task
        except ModelNotFound:
            return "generate"

    def resolve_for(self, asked: ModelTask, name: str | None) -> str:
        """Return the canonical name of a model that can do what is asked, before anything is loaded for it.

        Raises: ModelNotFound; InvalidRequest, with what the model is for.
        """
        canonical = self.resolve(name)
        task = self.task(canonical)
        if not can_do(task, asked):
            raise wrong_task(canonical, task)
        return canonical

    def manifest(self, canonical: str) -> ModelManifest:
        """Return the manifest behind a canonical name. Raises: ModelNotFound."""
        base = canonical.partition("@")[0]
        if base not in self._manifests:
            self.refresh()
        if base not in self._manifests:
            raise ModelNotFound(f"model {base!r} not found{self._nearest(base)}", param="model")
        return self._manifests[base]

    def manifests(self) -> tuple[ModelManifest, ...]:
        """Return the manifests of all models, as they were read last."""
        return tuple(self._manifests.values())

    def preset(self, canonical: str) -> ModelPreset | None:
        """Return what a model begins with that was made of another; None for any other, and one that is not there."""
        try:
            return self.manifest(canonical).preset
        except ModelNotFound:
            return None

    def presets(self) -> dict[str, ModelPreset]:
        """Return what models begin with, of those that begin with anything."""
        return {name: manifest.preset for name, manifest in self._manifests.items() if manifest.preset is not None}

    def content(self, canonical: str) -> str:
        """Return a name for all that decides what the model says: its files and its variant. Raises: ModelNotFound."""
        return f"{self.manifest(canonical).digest}@{canonical.partition('@')[2]}"

    def artefact(self, canonical: str) -> Artefact:
        """Return where the model's files are. Raises: ModelNotFound."""
        return artefact_of(self._store, self.manifest(canonical))

    def artefacts(self) -> tuple[tuple[Artefact, tuple[str, ...]], ...]:
        """Return where the files of all models are, each with the names that models of these files have."""
        names: dict[str, list[str]] = {}
        for name, manifest in self._manifests.items():
            names.setdefault(manifest.digest, []).append(name)
        return tuple((self.artefact(each[0]), tuple(each)) for each in names.values())

    def plan(self, canonical: str) -> LoadPlan:
        """Return how the model would be run now. Raises: ModelNotFound and what the choice of a backend raises."""
        return self._planner(canonical, self.manifest(canonical), canonical.partition("@")[2] or None)

    def views(self, loaded: Mapping[str, LoadedModelStatus]) -> tuple[InstalledModel, ...]:
        """Return all models as operators see them."""
        self.refresh()
        return self._listing.views(self._manifests, loaded)

    def view(self, canonical: str, loaded: Mapping[str, LoadedModelStatus]) -> InstalledModel:
        """Return one model as operators see it; one that cannot run here says why among its reasons."""
        manifest, status = self.manifest(canonical), loaded.get(canonical)
        plan, reasons = self._try_plan(canonical)
        context_tokens = status.context_tokens if status else plan.context_tokens if plan else None
        return InstalledModel(
            name=canonical,
            format=manifest.format,
            digest=manifest.digest,
            size_bytes=manifest.size_bytes,
            architecture=manifest.details.architecture,
            num_parameters=manifest.details.num_parameters,
            quantization=manifest.details.quantization,
            trained_context_tokens=manifest.details.context_length_tokens,
            context_tokens=context_tokens,
            capabilities=_capabilities(manifest),
            is_default=canonical == self.default_model,
            is_pinned=status is not None and status.is_pinned,
            state=status.state if status else "stopped",
            path=manifest.files[0].path,
            estimated_bytes=plan.estimated_bytes if plan else None,
            licence=manifest.details.licence,
            reasons=reasons,
            added_s=manifest.added_s,
            quality=_loss(manifest),
            choice=manifest.choice,
            version=manifest.version,
            alias_of=manifest.alias_of,
            backend=plan.backend if plan else None,
            problems=tuple(self._store.changed_files(manifest)),
            provenance=provenance_view(manifest.provenance),
            name_note=check_name(canonical, evidence_of(manifest)),
        )

    def _try_plan(self, canonical: str) -> tuple[LoadPlan | None, tuple[str, ...]]:
        try:
            plan = self.plan(canonical)
        except ApplianceError as error:
            return None, (error.message,)
        return plan, plan.reasons

    def _nearest(self, base: str) -> str:
        near = get_close_matches(base, self._manifests, n=1)
        return f"; did you mean {near[0]!r}?" if near else "; `appliance models list` shows those that are installed"


def artefact_of(store: ModelStore, manifest: ModelManifest) -> Artefact:
    """Return a model's files as a backend opens them."""
    return Artefact(
        format=manifest.format,
        path=str(store.opened_path(manifest)),
        digest=manifest.digest,
        compiled_path=str(store.compiled_path(manifest)),
    )


def name_of(manifest: ModelManifest) -> str:
    """Return the canonical name of a manifest."""
    return str(ModelName.parse(f"{manifest.name}:{manifest.tag}"))


_HUBS = ("hf.co/", "huggingface.co/")
"""How Ollama's clients begin the names of what they have pulled from there: the rest is its name here."""


def _canonical(name: str) -> str:
    if name.count("/") == 2 and name.lower().startswith(_HUBS):
        name = name.partition("/")[2]
    try:
        parsed = ModelName.parse(name)
    except InvalidModelName as error:
        raise ModelNotFound(str(error), param="model") from None
    if parsed.adapters:
        raise InvalidRequest(f"{name!r}: adapters are not supported by this version", param="model")
    return str(parsed)


def _capabilities(manifest: ModelManifest) -> tuple[str, ...]:
    if manifest.details.task == "embed":
        return ("embeddings",)
    if manifest.details.task == "score":
        return ("rerank",) if manifest.details.num_labels == 1 else ()
    return ("completion", "chat") if manifest.details.has_chat_template else ("completion",)


def _loss(manifest: ModelManifest) -> ModelLoss | None:
    quality = manifest.quality
    return None if quality is None else msgspec.convert(quality, ModelLoss, from_attributes=True)
