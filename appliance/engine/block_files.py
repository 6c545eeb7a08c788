"""The files of kept prefixes behind a thread of their own, so that no step waits for a disk. Decides nothing."""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import NamedTuple

import numpy as np

from appliance.backends.base import Snapshot, TokenArray
from appliance.caches.kv_folder import KvFolder

from .blocks import Block

_log = logging.getLogger(__name__)


class Written(NamedTuple):
    """A block was written, or with no bytes on disk: it could not be."""

    key: bytes
    memory_bytes: int
    disk_bytes: int


class Read(NamedTuple):
    """A block was read; without parts it is missing or damaged."""

    key: bytes
    parts: tuple[memoryview, ...] | None


class BlockFiles:
    """A folder behind a thread. Orders are done one after the other; reads overtake what is waiting to be written."""

    def __init__(self, folder: KvFolder, wake: Callable[[], None]) -> None:
        self._folder = folder
        self._wake = wake
        self._urgent: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._orders: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._news: SimpleQueue[Written | Read] = SimpleQueue()
        self._is_failing = False
        self._thread = threading.Thread(target=self._work, name="kv-files", daemon=True)
        self._thread.start()

    def write(self, block: Block, snapshot: Snapshot) -> None:
        """Write a block. News follow."""
        assert block.parent is not None
        key, parent, start, tokens = block.key, block.parent.key, block.start, block.tokens
        self._orders.put(lambda: self._write(key, parent, start, tokens, snapshot))

    def read(self, key: bytes) -> None:
        """Read a block, before anything else. News follow."""
        self._urgent.put(lambda: self._read(key))
        self._orders.put(_nothing)

    def touch(self, key: bytes) -> None:
        """Note on disk that a block was used."""
        self._orders.put(lambda: self._folder.touch(key))

    def remove(self, key: bytes) -> None:
        """Delete a block's file."""
        self._orders.put(lambda: self._folder.remove(key))

    def news(self) -> list[Written | Read]:
        """Return what was done since the last call."""
        return [self._news.get() for _ in range(self._news.qsize())]

    def close(self, timeout_s: float) -> None:
        """Do what was ordered, for so long at most, and close the folder."""
        self._orders.put(None)
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            _log.warning("the disk is too slow: not all prefixes were written")

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            while not self._urgent.empty():
                self._try(self._urgent.get())
            self._try(order)
        self._folder.close()

    def _try(self, order: Callable[[], None]) -> None:
        try:
            order()
        except Exception:  # the thread must live: sequences wait for what it reads
            _log.exception("a kept prefix could not be read or written")

    def _read(self, key: bytes) -> None:
        parts = None
        try:
            parts = self._folder.read(key)
        finally:
            self._tell(Read(key, parts))

    def _write(self, key: bytes, parent: bytes, start: int, tokens: TokenArray, snapshot: Snapshot) -> None:
        memory_bytes = sum(part.nbytes for part in snapshot.parts)
        disk_bytes = 0
        try:
            disk_bytes = self._folder.write(key, parent, start, np.asarray(tokens), snapshot.layout, snapshot.parts)
            self._is_failing = self._is_failing and not disk_bytes
        except OSError as error:
            if not self._is_failing:  # a full disk fails for every block; one line says it
                _log.warning("prefixes cannot be written: %s", error)
            self._is_failing = True
        finally:
            self._tell(Written(key, memory_bytes, disk_bytes))

    def _tell(self, news: Written | Read) -> None:
        self._news.put(news)
        self._wake()


def _nothing() -> None:
    """Wake the thread for an urgent order."""
