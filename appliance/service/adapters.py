"""Which LoRA adapters there are, by the names that callers use, and to which installed models each can be applied."""

import hashlib
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from msgspec.structs import replace

from appliance.core.admin import InstalledModel
from appliance.core.request import AdapterRef
from appliance.errors import InvalidRequest, ModelNotFound
from models.errors import StoreError
from models.manifest import AdapterManifest, ModelManifest
from models.store.store import ModelStore

MAX_LISTED = 200
"""Names of models with an adapter in a list of models: there are as many as pairs that fit each other."""


class InstalledAdapters:
    """The daemon's view of the adapters. What fits what is read once for each pair of contents."""

    def __init__(self, store: ModelStore) -> None:
        self._store = store
        self._misfits: dict[tuple[str, str], tuple[str, ...]] = {}

    def get(self, name: str) -> AdapterManifest:
        """Return an adapter by its canonical name. Raises: ModelNotFound, with the nearest name."""
        known = {adapter.name: adapter for adapter in self._store.adapters.list()}
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "`appliance models adapters list` shows those there are"
            raise ModelNotFound(f"adapter {name!r} not found; {hint}", param="model")
        return known[name]

    def misfits(self, adapter: AdapterManifest, model: ModelManifest) -> tuple[str, ...]:
        """Return why an adapter cannot be applied to a model; nothing when it fits. May wait for the disk."""
        try:
            return self._compared(adapter, model)
        except StoreError as error:
            return (str(error),)  # one of them cannot be read now

    def check(self, adapters: Iterable[AdapterManifest], name: str, model: ModelManifest) -> None:
        """Refuse adapters that do not fit a model. May wait for the disk. Raises: InvalidRequest."""
        for adapter in adapters:
            try:
                reasons = self._compared(adapter, model)
            except StoreError as error:
                message = f"adapter '{adapter.name}' cannot be compared with model '{name}': {error}"
                raise InvalidRequest(f"{message}; bring the file back", param="model") from error
            if reasons:
                message = f"adapter '{adapter.name}' does not fit model '{name}': {'; '.join(reasons)}"
                raise InvalidRequest(message, param="model")

    def _compared(self, adapter: AdapterManifest, model: ModelManifest) -> tuple[str, ...]:
        key = (adapter.digest, model.digest)
        if key not in self._misfits:
            self._misfits[key] = tuple(self._store.adapters.misfits(adapter, model))
        return self._misfits[key]

    def usable(self, models: Iterable[ModelManifest]) -> list[tuple[ModelManifest, AdapterManifest]]:
        """Return each model with each adapter that fits it, the first `MAX_LISTED`. May wait for the disk.

        An alias is left out: it would list the same pair once more.
        """
        adapters = self._store.adapters.list()
        writers = [model for model in models if model.details.task == "generate" and model.alias_of is None]
        pairs = ((model, each) for model in writers for each in adapters if not self.misfits(each, model))
        return [pair for pair, _ in zip(pairs, range(MAX_LISTED), strict=False)]

    def ref(self, adapter: AdapterManifest) -> AdapterRef:
        """Return an adapter as a worker finds it."""
        return AdapterRef(
            name=adapter.name,
            digest=adapter.digest,
            path=str(self._store.adapters.opened_path(adapter)),
            format=adapter.format,
            compiled_path=str(self._store.adapters.compiled_path(adapter)),
        )


def adapted_view(model: InstalledModel, name: str, adapters: Sequence[AdapterManifest]) -> InstalledModel:
    """Return a model with adapters as lists show it: content of its own, under a name of its own."""
    if not adapters:
        return model
    content = hashlib.sha256(" ".join((model.digest, *(each.digest for each in adapters))).encode()).hexdigest()
    return replace(
        model,
        name=name,
        digest=f"sha256:{content}",
        size_bytes=model.size_bytes + sum(each.size_bytes for each in adapters),
        added_s=max(each.added_s for each in adapters),
        is_default=False,
        is_pinned=False,
    )
