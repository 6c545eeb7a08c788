"""Answers on disk, by name: bytes with a checksum, never anything that runs code when it is read.

`diskcache` keeps them in SQLite, large ones in files beside it. It would pickle what it does not know; `_Bytes` takes
nothing but bytes and text, and refuses to unpickle whatever somebody may have put there.
"""

import logging
import shutil
import sqlite3
from hashlib import blake2b
from pathlib import Path
from typing import Any

import diskcache
from diskcache.core import MODE_PICKLE, UNKNOWN

from appliance.core.units import format_bytes

_CHECKSUM_BYTES = 16

logger = logging.getLogger(__name__)


class ResponseFolder:
    """Owns a folder of answers and keeps it below a budget: the oldest go first. One thread at a time.

    A folder that cannot be read is begun anew: nothing in it cannot be computed again. No method raises; what a full or
    broken disk refuses is a miss.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._cache = self._open()

    def get(self, name: str) -> bytes | None:
        """Return what was kept under a name, None when there is nothing, or nothing whole."""
        try:
            kept = self._cache.get(name) if self._cache is not None else None
        except (OSError, sqlite3.Error, ValueError) as error:
            logger.warning("an answer could not be read from %s: %s", self._folder, error)
            return None
        if not isinstance(kept, bytes):
            return None
        checksum, content = kept[:_CHECKSUM_BYTES], kept[_CHECKSUM_BYTES:]
        if _checksum(name, content) != checksum:
            logger.warning("an answer in %s is damaged and is dropped", self._folder)
            self.delete(name)
            return None
        return content

    def put(self, name: str, content: bytes, ttl_s: float | None) -> None:
        """Keep an answer for `ttl_s` seconds, None: until there is no room."""
        if self._cache is None or len(content) > self._max_bytes // 8:
            return
        try:
            self._cache.set(name, _checksum(name, content) + content, expire=ttl_s)
        except (OSError, sqlite3.Error) as error:
            logger.warning("an answer could not be kept in %s: %s", self._folder, error)

    def delete(self, name: str) -> None:
        """Forget an answer."""
        if self._cache is not None:
            try:
                self._cache.delete(name)
            except (OSError, sqlite3.Error) as error:
                logger.warning("an answer in %s could not be dropped: %s", self._folder, error)

    def clear(self) -> tuple[int, int]:
        """Forget everything; return how many answers there were, and the bytes that this frees."""
        num_entries, size_bytes = self.size()
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._cache = self._open()
        return num_entries, size_bytes

    def size(self) -> tuple[int, int]:
        """Return how many answers there are, and their bytes on disk."""
        try:
            return (0, 0) if self._cache is None else (len(self._cache), self._cache.volume())
        except (OSError, sqlite3.Error):
            return 0, 0

    def close(self) -> None:
        """Close the database."""
        if self._cache is not None:
            self._cache.close()

    def _open(self) -> "diskcache.Cache | None":
        if self._max_bytes <= 0:
            return None
        try:
            return self._opened()
        except (OSError, sqlite3.Error, ValueError) as error:
            logger.warning("the response cache in %s cannot be used (%s) and is begun anew", self._folder, error)
        shutil.rmtree(self._folder, ignore_errors=True)
        try:
            return self._opened()
        except (OSError, sqlite3.Error, ValueError) as error:
            logger.error("there is no response cache on disk now: %s", error)
            return None

    def _opened(self) -> "diskcache.Cache":
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        cache = diskcache.Cache(
            str(self._folder),
            disk=_Bytes,
            size_limit=self._max_bytes,
            eviction_policy="least-recently-stored",  # another policy would write to the disk at every hit
            statistics=0,
            tag_index=0,
        )
        size = format_bytes(cache.volume())
        logger.info("the response cache holds %d answers, %s on disk", len(cache), size)
        return cache


class _Bytes(diskcache.Disk):  # type: ignore[misc]  # the library has no types
    """Keys are text and values bytes."""

    def put(self, key: Any) -> Any:
        if type(key) is not str:
            raise TypeError(f"names of answers are text, not {type(key).__name__}")
        return super().put(key)

    def get(self, key: Any, raw: bool) -> Any:
        if not raw:
            raise ValueError("it holds a pickle as a name, which is never read")
        return super().get(key, raw)

    def store(self, value: Any, read: bool, key: Any = UNKNOWN) -> Any:
        if type(value) is not bytes:
            raise TypeError(f"answers are bytes, not {type(value).__name__}")
        return super().store(value, read, key)

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        if mode == MODE_PICKLE:
            raise ValueError("it holds a pickle, which is never read")
        return super().fetch(mode, filename, value, read)


def _checksum(name: str, content: bytes) -> bytes:
    """Return a checksum over name and content: an answer under another's name is damage, too."""
    return blake2b(content, digest_size=_CHECKSUM_BYTES, key=name.encode()[:64]).digest()
