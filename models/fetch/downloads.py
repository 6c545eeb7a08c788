"""The folder of files on their way: one folder for each, found again by what the file is, whoever asks for it."""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from models.sources.base import RemoteFile

LOCK_FILE = "lock"
PACE_FILE = ".pace"
_NAP_S = 0.2


class Downloads:
    """Owns `downloads/` of a home. Whoever reads or writes in one of its folders holds that folder's lock."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def pace_path(self) -> Path:
        """Return the file that all downloads share their limit of speed by."""
        return self.root / PACE_FILE

    @contextmanager
    def hold(self, key: str, on_wait: Callable[[], None]) -> Iterator[Path]:
        """Give the folder of a file as soon as nobody else has it. `on_wait` is called while somebody has."""
        folder = self.root / key
        while True:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (folder / LOCK_FILE).open("w") as stream:
                if _is_locked(stream.fileno()):
                    # Whoever had it may have deleted the folder, and the lock that we got with it
                    if _is_still(folder / LOCK_FILE, stream.fileno()):
                        yield folder
                        return
                    continue
            on_wait()
            time.sleep(_NAP_S)

    def remove(self, key: str) -> None:
        """Delete a file's folder, unless somebody has it."""
        folder = self.root / key
        if folder.is_dir():
            with (folder / LOCK_FILE).open("w") as stream:
                if _is_locked(stream.fileno()):
                    shutil.rmtree(folder, ignore_errors=True)


def key_of(file: RemoteFile) -> str:
    """Return the folder of a file: by its digest where the source states one, else by its address."""
    if file.sha256 is not None:
        return f"sha256-{file.sha256}"
    address = file.url.partition("#")[0].partition("?")[0]
    return "url-" + hashlib.sha256(f"{address}\n{file.git_sha1}".encode()).hexdigest()


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
