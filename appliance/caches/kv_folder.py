"""The folder of kept prefixes of one model run in one way: a file for each block, one process at a time.

Owns the files and what of them may be written. Knows nothing of models and which block is worth keeping: whoever uses
it decides that, and removes what its budget does not hold. Not for several threads at once.
"""

import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from appliance.caches.folder_lock import LOCK_FILE, FolderLock, FolderState
from appliance.caches.kv_codec import RAW, Damaged, choose_width, encode
from appliance.caches.kv_file import (
    PARTIAL_SUFFIX,
    SUFFIX,
    FileHead,
    describe,
    file_name,
    pack_header,
    read_head,
    read_parts,
    write_file,
)
from appliance.caches.write_budget import WriteBudget

_PATIENCE_S = 1.0

_log = logging.getLogger(__name__)


class FolderInUse(Exception):
    """Another process has the folder: the same model, loaded under another name."""


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block on disk: tokens `(num_tokens,) int32` from position `start` on, after those of `parent`.

    `key` names all tokens up to its end, `layout` the backend's format of its bytes; `num_bytes` is the file's size and
    `used_s` when it was last used.
    """

    key: bytes
    parent: bytes
    start: int
    tokens: npt.NDArray[np.int32]
    layout: str
    num_bytes: int
    used_s: float

    @property
    def end(self) -> int:
        """The position behind the last token."""
        return self.start + len(self.tokens)


class KvFolder:
    """Blocks on disk, by their keys. `scan` comes first: what it does not find is not there."""

    def __init__(
        self,
        folder: Path,
        max_written_bytes_per_day: int | None = None,
        *,
        now_s: Callable[[], float] = time.time,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        """Make the folder, readable by its user alone, and hold it. Raises: FolderInUse, OSError.

        With a limit on what may be written in a day, blocks are compressed if their bytes allow it.
        """
        self._folder = folder
        self._now_s = now_s
        self._sizes: dict[bytes, int] = {}
        self._num_bytes = 0
        self._lock = _hold(folder, patience_s)
        state = self._lock.read()
        self._budget = _budget(max_written_bytes_per_day, state, now_s())
        # Compressing takes time from the model, so it pays only where each byte written counts; see DESIGN.md.
        self._width_bytes = RAW if self._budget is None else None
        self._is_spent = False
        self._num_bytes = state.num_bytes
        self._note()

    def scan(self) -> list[StoredBlock]:
        """Return the blocks that are there, parents before children, and delete everything that cannot be used."""
        blocks = sorted(self._read_heads(), key=lambda block: block.start)
        found: dict[bytes, StoredBlock] = {}
        for block in blocks:
            parent = found.get(block.parent)
            if block.start == 0 or (parent is not None and parent.end == block.start):
                found[block.key] = block
            else:
                self._drop(block.key, "what comes before it is gone")
        self._sizes = {block.key: block.num_bytes for block in found.values()}
        self._num_bytes = sum(self._sizes.values())
        self._note()
        return list(found.values())

    def write(
        self,
        key: bytes,
        parent: bytes,
        start: int,
        tokens: npt.NDArray[np.int32],
        layout: str,
        parts: Sequence[memoryview],
    ) -> int:
        """Write a block and return its size on disk: 0 where it must not be written. Raises: OSError.

        That is when the write budget is spent, or its parent is not there: it would be an orphan at the next scan.
        """
        if start > 0 and parent not in self._sizes:
            return 0
        if self._width_bytes is None:
            self._width_bytes = choose_width(parts)
        payload = encode(parts, self._width_bytes)
        token_bytes = np.ascontiguousarray(tokens, "<i4").tobytes()
        header = describe(key, parent, start, token_bytes, layout, [part.nbytes for part in parts], payload)
        head = pack_header(header)
        num_bytes = len(head) + payload.num_bytes
        if not self._may_write(num_bytes):
            return 0
        write_file(self._path(key), [head, *payload.buffers])
        self._forget(key)
        self._sizes[key] = num_bytes
        self._num_bytes += num_bytes
        if self._budget is not None:
            self._budget.take(num_bytes, self._now_s())
        self._note()
        return num_bytes

    def read(self, key: bytes) -> tuple[memoryview, ...] | None:
        """Return the parts of a block, or None where it is missing or damaged; what is damaged is deleted."""
        try:
            return read_parts(self._path(key))
        except (Damaged, OSError) as error:
            self._drop(key, _reason(error))
            return None

    def touch(self, key: bytes) -> None:
        """Note that a block was used."""
        with suppress(OSError):
            os.utime(self._path(key))

    def remove(self, key: bytes) -> None:
        """Delete a block, if it is there."""
        with suppress(OSError):
            self._path(key).unlink()
        self._forget(key)
        self._note()

    def close(self) -> None:
        """Let another process have the folder."""
        self._note()
        self._lock.release()

    def _read_heads(self) -> list[StoredBlock]:
        blocks = []
        for path in sorted(self._folder.iterdir()):
            if path.suffix == PARTIAL_SUFFIX:
                self._delete(path, "it was not finished")
            elif path.suffix == SUFFIX:
                try:
                    blocks.append(_block(read_head(path)))
                except (Damaged, OSError) as error:
                    self._delete(path, _reason(error))
            elif path.name != LOCK_FILE:
                _log.warning("%s does not belong here and is left alone", path)
        return blocks

    def _may_write(self, num_bytes: int) -> bool:
        is_spent = self._budget is not None and not self._budget.allows(num_bytes, self._now_s())
        if is_spent and not self._is_spent:
            _log.info("%s: what may be written in a day is written; new prefixes wait for more", self._folder)
        self._is_spent = is_spent
        return not is_spent

    def _drop(self, key: bytes, why: str) -> None:
        self._forget(key)
        self._delete(self._path(key), why)
        self._note()

    def _delete(self, path: Path, why: str) -> None:
        with suppress(OSError):
            path.unlink()
        _log.warning("dropped %s: %s", path, why)

    def _forget(self, key: bytes) -> None:
        self._num_bytes -= self._sizes.pop(key, 0)

    def _note(self) -> None:
        now_s = self._now_s()
        writable_bytes = None if self._budget is None else self._budget.writable_bytes(now_s)
        with suppress(OSError):  # the daemon then knows an older state
            self._lock.write(FolderState(self._num_bytes, writable_bytes, now_s))

    def _path(self, key: bytes) -> Path:
        return self._folder / file_name(key)


def _hold(folder: Path, patience_s: float) -> FolderLock:
    while True:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            lock = FolderLock.take(folder, patience_s)
        except FileNotFoundError:  # the daemon deleted it just now
            continue
        if lock is None:
            raise FolderInUse(f"{folder} is in use by another process")
        return lock


def _budget(max_bytes_per_day: int | None, state: FolderState, now_s: float) -> WriteBudget | None:
    if max_bytes_per_day is None:
        return None
    if state.writable_bytes is None:
        return WriteBudget(max_bytes_per_day, now_s)
    return WriteBudget(max_bytes_per_day, state.at_s, state.writable_bytes)


def _block(head: FileHead) -> StoredBlock:
    header = head.header
    return StoredBlock(
        key=header.key,
        parent=header.parent,
        start=header.start,
        tokens=np.frombuffer(header.tokens, "<i4").astype(np.int32, copy=False),
        layout=header.layout,
        num_bytes=head.num_bytes,
        used_s=head.used_s,
    )


def _reason(error: Damaged | OSError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
