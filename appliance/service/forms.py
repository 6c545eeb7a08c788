"""The forms in which an installed model is at hand: its own files, and the models that were made of it here."""

from collections.abc import Iterator

from appliance.backends.asked import Form
from models.manifest import ModelManifest
from models.store.store import ModelStore

from .installed import artefact_of, name_of

_FLOATS = frozenset({"F32", "F16", "BF16", "fp32"})
"""What a conversion makes that only changes the format: it loses nothing that a quantization would be judged by."""


class Forms:
    """Follows who was made of whom. What a chain of steps lost adds up."""

    def __init__(self, store: ModelStore) -> None:
        self._store = store

    def of(self, model: str, manifest: ModelManifest) -> tuple[Form, ...]:
        """Return them, the model's own files first. What is not whole any more is no form of it."""
        others = self._made_of(manifest.digest, 0.0, {manifest.digest})
        return (self._form(model, manifest, 0.0), *others)

    def _made_of(self, digest: str, loss_ratio: float | None, seen: set[str]) -> Iterator[Form]:
        for manifest in self._store.list():
            if manifest.made_of != digest or manifest.digest in seen or self._store.changed_files(manifest):
                continue
            seen.add(manifest.digest)
            loss = _added(loss_ratio, _loss(manifest))
            yield self._form(name_of(manifest), manifest, loss)
            yield from self._made_of(manifest.digest, loss, seen)

    def _form(self, model: str, manifest: ModelManifest, loss_ratio: float | None) -> Form:
        artefact = artefact_of(self._store, manifest)
        return Form(model=model, artefact=artefact, details=manifest.details, loss_ratio=loss_ratio)


def _loss(manifest: ModelManifest) -> float | None:
    if manifest.quality is not None:
        return max(0.0, manifest.quality.loss_ratio)
    return 0.0 if manifest.details.quantization in _FLOATS else None


def _added(before: float | None, more: float | None) -> float | None:
    return None if before is None or more is None else (1 + before) * (1 + more) - 1
