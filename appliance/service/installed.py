"""Which models there are, by the names that callers use, and how each would be run here."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from difflib import get_close_matches

import msgspec

from appliance.core.admin import InstalledModel, LoadedModelStatus, ModelLoss
from appliance.core.plan import Artefact, LoadPlan
from appliance.core.request import MediaKind
from appliance.core.traits import ModelTask
from appliance.dialects.media.formats import NOUNS
from appliance.errors import ApplianceError, InvalidRequest, ModelNotFound, NotOffered, can_do, wrong_task
from models.catalogue.name_check import check_name, evidence_of
from models.manifest import ModelManifest, ModelPreset
from models.names import InvalidModelName, ModelName, adapters_of, base_of, without_adapters
from models.store.store import ModelStore

from .adapters import InstalledAdapters
from .listing import Listing
from .store_views import provenance_view

CAPABILITY_OF: dict[MediaKind, str] = {"image": "vision", "audio": "audio"}
_VERBS: dict[MediaKind, str] = {"image": "see", "audio": "hear"}

Planner = Callable[[str, ModelManifest, str | None], LoadPlan]
"""`(model, manifest, variant) -> plan`; raises ApplianceError where the model cannot run on this machine."""

Place = Callable[[str, ModelManifest, str | None, int], str]
"""`(model, manifest, variant, num_adapters) -> model`: which model is loaded so that adapters are applied to one."""


def same_place(model: str, manifest: ModelManifest, variant: str | None, num_adapters: int) -> str:
    """Be the `Place` of a machine on which every model takes adapters."""
    return model


class Installed:
    """Owns the daemon's view of the store: read at start, after each change, and when a name is not known."""

    def __init__(self, store: ModelStore, planner: Planner, default_model: str, place: Place = same_place) -> None:
        self._store = store
        self._planner = planner
        self._place = place
        self._stored: list[ModelManifest] = []
        self._manifests: dict[str, ModelManifest] = {}
        self._listing = Listing(self.view)
        self.adapters = InstalledAdapters(store)
        self.refresh()
        self.default_model = _canonical(default_model)
        _refuse_adapters(self.default_model)

    def refresh(self) -> None:
        """Read the store again."""
        stored = self._store.list()
        if stored != self._stored:
            self._stored, self._manifests = stored, {name_of(manifest): manifest for manifest in stored}

    def resolve(self, name: str | None) -> str:
        """Return the canonical name of what a caller named, None being the default model.

        Raises: ModelNotFound, with the nearest name; InvalidRequest, for what no version of a model can be, and for a
        name with adapters: nothing but requests has any.
        """
        canonical = self.resolve_adapted(name)
        _refuse_adapters(canonical)
        return canonical

    def resolve_adapted(self, name: str | None) -> str:
        """Return the same of what may be named with adapters; they are there, whether they fit is not looked at.

        Raises: ModelNotFound, with the nearest name; InvalidRequest.
        """
        if not name:
            return self.default_model
        canonical = _canonical(name)
        self.manifest(canonical)
        for adapter in adapters_of(canonical):
            self.adapters.get(adapter)
        return canonical

    def resident(self, canonical: str) -> str:
        """Return the model that is loaded for a name: with adapters, one to which they can be applied.

        Raises: ModelNotFound; InvalidRequest, where there is none; what the choice of a backend raises.
        """
        num_adapters, model = len(adapters_of(canonical)), without_adapters(canonical)
        if not num_adapters:
            return canonical
        return self._place(model, self.manifest(model), _variant(model), num_adapters)

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
        canonical = self.resolve_adapted(name) if asked == "generate" else self.resolve(name)
        task = self.task(canonical)
        if not can_do(task, asked):
            raise wrong_task(canonical, task)
        return canonical

    def check_listeners(self) -> list[str]:
        """Return the names of the models that turn speech into text. Raises: NotOffered, with how to get one."""
        if not self._listeners():
            self.refresh()
        listeners = self._listeners()
        if not listeners:
            raise NotOffered(
                "no model that turns speech into text is installed; get one with: appliance pull whisper-base "
                "(`appliance models recommend --purpose transcription` says which suits this machine)"
            )
        return listeners

    def listener(self, name: str | None, meaning_any: Collection[str]) -> str:
        """Return the canonical name of a model that turns speech into text.

        No name, or one `meaning_any` where no model has it, means the default model, or else the only one there is.
        Raises: NotOffered, with how to get one; ModelNotFound, InvalidRequest.
        """
        listeners = self.check_listeners()
        if name and (name not in meaning_any or _canonical(name) in self._manifests):
            return self.resolve_for("transcribe", name)
        if self.default_model in listeners or len(listeners) == 1:
            return self.default_model if self.default_model in listeners else listeners[0]
        raise InvalidRequest(f"several models turn speech into text; name one of {', '.join(listeners)}", param="model")

    def manifest(self, canonical: str) -> ModelManifest:
        """Return the manifest behind a canonical name. Raises: ModelNotFound."""
        base = base_of(canonical)
        if base not in self._manifests:
            self.refresh()
        if base not in self._manifests:
            raise ModelNotFound(f"model {base!r} not found{self._nearest(base)}", param="model")
        return self._manifests[base]

    def check_media(self, canonical: str, kinds: frozenset[MediaKind]) -> None:
        """Let a request go on to a model that reads all that it holds.

        Raises: ModelNotFound; InvalidRequest, with what the model lacks and which ones here do not.
        """
        read = self._media_of(self.manifest(canonical))
        missing = next((kind for kind in CAPABILITY_OF if kind in kinds and kind not in read), None)
        if missing is None:
            return
        able = [name for name, manifest in self._manifests.items() if kinds <= self._media_of(manifest)]
        others = f"{', '.join(able[:3])} can" if able else "no model that is installed can"
        raise InvalidRequest(
            f"model {canonical!r} cannot {_VERBS[missing]}, and the request holds a {NOUNS[missing]}; {others}",
            param="model",
        )

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
        return f"{self.manifest(canonical).digest}@{_variant(canonical) or ''}"

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
        model = self.resident(canonical)
        return self._planner(model, self.manifest(model), _variant(model))

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

    def _listeners(self) -> list[str]:
        return sorted(name for name, manifest in self._manifests.items() if manifest.details.is_transcriber)

    def _media_of(self, manifest: ModelManifest) -> frozenset[MediaKind]:
        # Where a picture stands in a conversation is the template's business
        details = manifest.details
        return frozenset(details.media) if details.has_chat_template else frozenset()

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
        projector_path=manifest.projector_path or "",
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
    if len(set(parsed.adapters)) < len(parsed.adapters):
        raise InvalidRequest(f"{name!r} names an adapter twice; name each once", param="model")
    return str(replace(parsed, adapters=tuple(sorted(parsed.adapters))))


def _refuse_adapters(canonical: str) -> None:
    if adapters_of(canonical):
        model = without_adapters(canonical)
        raise InvalidRequest(
            f"{canonical!r} names adapters, which requests for answers have; this is about the model itself: {model!r}",
            param="model",
        )


def _variant(canonical: str) -> str | None:
    return canonical.partition("@")[2] or None


def _capabilities(manifest: ModelManifest) -> tuple[str, ...]:
    if manifest.details.task == "embed":
        return ("embeddings",)
    if manifest.details.task == "transcribe":
        return ("transcription",)
    if manifest.details.task == "score":
        return ("rerank",) if manifest.details.num_labels == 1 else ()
    if not manifest.details.has_chat_template:
        return ("completion",)
    return ("completion", "chat", *(CAPABILITY_OF[kind] for kind in manifest.details.media))


def _loss(manifest: ModelManifest) -> ModelLoss | None:
    quality = manifest.quality
    return None if quality is None else msgspec.convert(quality, ModelLoss, from_attributes=True)
