"""Keeps the folders of kept prefixes within their budget. The daemon's: it deletes only what no worker holds."""

import logging
import re
import shutil
from collections.abc import Callable, Container, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from appliance.caches.folder_lock import LOCK_FILE, FolderLock, read_state
from appliance.core.events import ModelStateChanged, SystemEvent
from appliance.core.units import format_bytes

_NAME = re.compile(r"[0-9a-f]{32}")
_REMOVED_PREFIX = ".removed-"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FolderUse:
    """What lies in a folder, when that last changed, and whether a worker has it."""

    name: str
    num_bytes: int
    used_s: float
    is_held: bool


def to_remove(folders: Sequence[FolderUse], budget_bytes: int, known: Container[str]) -> list[str]:
    """Return what has to go: what no installed model would use, then the least recently used until the rest fits.

    What a worker holds stays, however much it is.
    """
    num_bytes = sum(folder.num_bytes for folder in folders)
    removed = []
    free = (folder for folder in folders if not folder.is_held)
    for folder in sorted(free, key=lambda folder: (folder.name in known, folder.used_s)):
        if folder.name not in known or num_bytes > budget_bytes:
            removed.append(folder.name)
            num_bytes -= folder.num_bytes
    return removed


def list_folders(root: Path) -> list[FolderUse]:
    """Return the folders under `root`. Each that is free is held for a moment."""
    return [_use_of(folder) for folder in _folders(root)]


def kept_bytes(root: Path) -> int:
    """Return what all folders under `root` hold."""
    return sum(read_state(folder).num_bytes for folder in _folders(root))


def sweep(root: Path, budget_bytes: int, known: Container[str]) -> None:
    """Delete what has to go, and what an earlier sweep did not finish. Raises: OSError."""
    for leftover in root.glob(f"{_REMOVED_PREFIX}*"):
        shutil.rmtree(leftover)
    folders = {folder.name: folder for folder in list_folders(root)}
    for name in to_remove(list(folders.values()), budget_bytes, known):
        if _remove(root / name):
            _log.info("deleted kept prefixes of %s in %s", format_bytes(folders[name].num_bytes), root / name)


class KvSweeper:
    """Sweeps on a thread of its own: when told to, and whenever a worker has ended."""

    def __init__(self, root: Path, budget_bytes: int, known: Callable[[], Container[str]]) -> None:
        """`known` returns the names that installed models would use; it is called on the thread."""
        self._root = root
        self._budget_bytes = budget_bytes
        self._known = known
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kv-sweep")

    def observe(self, event: SystemEvent) -> None:
        """Sweep when a worker has let go of its folder."""
        if isinstance(event, ModelStateChanged) and event.state in ("stopped", "failed"):
            self.sweep_soon()

    def sweep_soon(self) -> Future[None]:
        """Sweep after all sweeps that were asked for before, and return what tells when it is done."""
        return self._thread.submit(self._sweep)

    def _sweep(self) -> None:
        try:
            sweep(self._root, self._budget_bytes, self._known())
        except OSError as error:
            _log.warning("kept prefixes in %s could not be looked through: %s", self._root, error)


def _folders(root: Path) -> Iterator[Path]:
    if root.is_dir():
        yield from (path for path in sorted(root.iterdir()) if _NAME.fullmatch(path.name) and path.is_dir())


def _use_of(folder: Path) -> FolderUse:
    lock = FolderLock.take(folder)
    if lock is not None:
        lock.release()
    return FolderUse(
        name=folder.name,
        num_bytes=read_state(folder).num_bytes,
        used_s=(folder / LOCK_FILE).stat().st_mtime,
        is_held=lock is None,
    )


def _remove(folder: Path) -> bool:
    """Delete a folder that nobody holds. It goes under another name first, so that a worker may make it anew."""
    lock = FolderLock.take(folder)
    if lock is None:
        return False
    try:
        removed = folder.rename(folder.with_name(_REMOVED_PREFIX + folder.name))
    finally:
        lock.release()
    shutil.rmtree(removed)
    return True
