"""The LoRA adapters of one model in memory: read when a sequence with them begins, kept until others need room.

Knows nothing of requests' texts or of steps; called on the step thread.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from appliance.backends.base import AppliesAdapters, LoadedModel
from appliance.core.request import AdapterRef
from appliance.core.traits import AdapterId
from appliance.errors import BackendError, InvalidRequest

from .prefix import EVERYBODY, Scope, scope_of

MAX_LOADED = 16
MAX_BYTES = 2**30
"""Of adapters in memory together; those that sequences use now stay, however large."""

AdapterKey = tuple[tuple[str, float], ...]
"""What decides over the effect of a set: the digest of each, and how strongly it is applied."""


def key_of(adapters: Iterable[AdapterRef]) -> AdapterKey:
    """Return the same key for the same set, whatever its order and the names and places of its files."""
    return tuple(sorted((adapter.digest, adapter.scale) for adapter in adapters))


def scope_with(key: AdapterKey) -> Scope:
    """Return the scope of what is computed with a set: keys and values depend on it as on the tokens."""
    return scope_of("adapters", *(f"{digest}*{scale!r}" for digest, scale in key)) if key else EVERYBODY


class AdapterRack:
    """Owns which adapters are loaded. Those used last are at the end."""

    def __init__(self, model: LoadedModel) -> None:
        self._model = model
        self._loaded: dict[str, tuple[AdapterId, int]] = {}
        self._users: Counter[str] = Counter()
        self._removed: set[str] = set()

    def has_room(self, adapters: Iterable[AdapterRef]) -> bool:
        """Return whether these can be in memory beside those in use; alone, any can."""
        others = {digest: self._loaded[digest][1] for digest in +self._users}
        if not others:
            return True
        sizes = others | {adapter.digest: _size_bytes(adapter) for adapter in adapters}
        return (len(sizes) <= MAX_LOADED and sum(sizes.values()) <= MAX_BYTES) or sizes.keys() == others.keys()

    def take(self, adapters: Iterable[AdapterRef]) -> None:
        """Bring adapters into memory and keep them there until `give_back`. Raises: InvalidRequest; none is taken."""
        taken: list[AdapterRef] = []
        try:
            for adapter in adapters:
                known = self._loaded.pop(adapter.digest) if adapter.digest in self._loaded else self._load(adapter)
                self._loaded[adapter.digest] = known
                self._users[adapter.digest] += 1
                self._removed.discard(adapter.digest)
                taken.append(adapter)
        except InvalidRequest:
            self.give_back(taken)
            raise
        self._shrink()

    def give_back(self, adapters: Iterable[AdapterRef]) -> None:
        """Note that one user less needs these, which stay for the next unless they were removed."""
        for adapter in adapters:
            self._users[adapter.digest] -= 1
            if adapter.digest in self._removed:
                self.forget(adapter.digest)

    def ids(self, key: AdapterKey) -> tuple[tuple[AdapterId, float], ...]:
        """Return a set that was taken in the words of the seam."""
        return tuple((self._loaded[digest][0], scale) for digest, scale in key)

    def forget(self, digest: str) -> None:
        """Free an adapter that was removed, once no sequence needs it."""
        if self._users[digest]:
            self._removed.add(digest)
        elif digest in self._loaded:
            self._removed.discard(digest)
            self._unload(digest)

    def _load(self, adapter: AdapterRef) -> tuple[AdapterId, int]:
        if not isinstance(self._model, AppliesAdapters):
            raise InvalidRequest(f"adapter '{adapter.name}' cannot be applied: this model takes none", param="model")
        try:
            return self._model.load_adapter(adapter.path), _size_bytes(adapter)
        except BackendError as error:
            raise InvalidRequest(
                f"adapter '{adapter.name}' cannot be applied, it may have been removed: {error.message}", param="model"
            ) from error

    def _shrink(self) -> None:
        idle = [digest for digest in self._loaded if not self._users[digest]]
        for digest in idle:
            if len(self._loaded) <= MAX_LOADED and sum(size for _, size in self._loaded.values()) <= MAX_BYTES:
                return
            self._unload(digest)

    def _unload(self, digest: str) -> None:
        assert isinstance(self._model, AppliesAdapters), "only such a model has loaded any"
        self._model.unload_adapter(self._loaded.pop(digest)[0])


def _size_bytes(adapter: AdapterRef) -> int:
    try:
        return Path(adapter.path).stat().st_size
    except OSError:
        return 0
