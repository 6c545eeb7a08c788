"""Adapters of echo: each computed token remembers with which it was computed, so that no wrong use goes unnoticed."""

from collections.abc import Sequence
from hashlib import blake2b
from itertools import count
from pathlib import Path

from appliance.core.traits import AdapterId
from appliance.errors import BackendError

_TOKEN_BITS = 20
_TOKEN_MASK = (1 << _TOKEN_BITS) - 1
_NUM_MARKS = (1 << (31 - _TOKEN_BITS)) - 1


class EchoAdapters:
    """The adapters that are loaded, by the digest of their files."""

    def __init__(self) -> None:
        self._ids = count()
        self._digests: dict[AdapterId, bytes] = {}

    def load(self, path: str) -> AdapterId:
        """Read a file. Raises: BackendError."""
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise BackendError(f"echo cannot read the adapter {path}: {error.strerror}") from None
        adapter = AdapterId(next(self._ids))
        self._digests[adapter] = blake2b(content).digest()
        return adapter

    def unload(self, adapter: AdapterId) -> None:
        """Forget an adapter."""
        del self._digests[adapter]

    def mark(self, adapters: Sequence[tuple[AdapterId, float]]) -> int:
        """Return what tokens computed with this set are marked with, whatever its order; 0 without adapters."""
        if not adapters:
            return 0
        named = sorted((self._digest(adapter), scale) for adapter, scale in adapters)
        return 1 + int.from_bytes(blake2b(repr(named).encode(), digest_size=4).digest()) % _NUM_MARKS

    def _digest(self, adapter: AdapterId) -> bytes:
        if adapter not in self._digests:
            raise BackendError(f"a call broke the rules of the backend: no adapter {adapter} is loaded")
        return self._digests[adapter]


def marked(tokens: list[int], mark: int) -> list[int]:
    """Return tokens as they are kept: with the mark of the set they were computed with. Keys of media stay negative."""
    return [token | mark << _TOKEN_BITS if token >= 0 else token ^ mark for token in tokens] if mark else tokens


def plain(held: list[int]) -> list[int]:
    """Return the tokens alone; keys of media stay as they are."""
    return [each & _TOKEN_MASK if each >= 0 else each for each in held]
