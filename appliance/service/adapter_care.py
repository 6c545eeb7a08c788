"""Care of the LoRA adapters: taking one in, giving one up, and which installed models each fits."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from appliance.core.admin import Removed
from appliance.core.store import AdapterView, AddAdapter
from models.manifest import AdapterManifest
from models.store.store import ModelStore

from .installed import Installed, name_of
from .store_errors import store_errors


class AdapterCare:
    """What an operator does to adapters. Files are read and deleted on another thread than the daemon's own."""

    def __init__(
        self, store: ModelStore, installed: Installed, forget: Callable[[str], None] = lambda digest: None
    ) -> None:
        """`forget` lets the models in memory let go of an adapter, by its digest."""
        self._store = store
        self._installed = installed
        self._forget = forget

    async def adapters(self) -> tuple[AdapterView, ...]:
        """Return all adapters."""
        return await asyncio.to_thread(self.views)

    async def add(self, order: AddAdapter) -> AdapterView:
        """Take an adapter in. Raises: InvalidRequest, Conflict, ModelNotFound (the base)."""
        base = None if order.base is None else self._installed.manifest(self._installed.resolve(order.base))

        def work() -> AdapterView:
            manifest = self._store.adapters.add(Path(order.path), order.name, order.copy, time.time(), base)
            return self.view(manifest)

        with store_errors():
            return await asyncio.to_thread(work)

    async def remove(self, name: str) -> Removed:
        """Forget an adapter; answers with it that are under way come to their end. Raises: ModelNotFound."""
        with store_errors():
            digest = self._store.adapters.get(name).digest
            removed = await asyncio.to_thread(remove_adapter, self._store, name)
        if all(other.digest != digest for other in self._store.adapters.list()):
            self._forget(digest)
        return removed

    def views(self) -> tuple[AdapterView, ...]:
        """Return all adapters. May wait for the disk."""
        return tuple(map(self.view, self._store.adapters.list()))

    def view(self, manifest: AdapterManifest) -> AdapterView:
        """Return one adapter as operators see it. May wait for the disk."""
        details, known = manifest.details, self._installed.adapters
        return AdapterView(
            name=manifest.name,
            format=manifest.format,
            digest=manifest.digest,
            size_bytes=manifest.size_bytes,
            rank=details.rank,
            alpha=details.alpha,
            targets=details.targets,
            architecture=details.architecture,
            base=details.base,
            licence=details.licence,
            added_s=manifest.added_s,
            path=manifest.files[0].path,
            fits=tuple(name_of(model) for model in self._store.list() if not known.misfits(manifest, model)),
        )


def remove_adapter(store: ModelStore, name: str) -> Removed:
    """Forget an adapter and say what became of its files. Raises: StoreError."""
    manifest = store.adapters.get(name)
    freed_bytes = store.adapters.remove(name)
    kept_path = manifest.files[0].path if manifest.files[0].role == "adopted" else None
    return Removed(name=manifest.name, freed_bytes=freed_bytes, kept_path=kept_path)
