"""The lock of the store: whoever changes something holds it, in whatever process."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StoreLock:
    """Owns the file `.lock` in the store's folder. Not reentrant; a killed process lets it go."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Wait until no other holds the lock, and hold it for the block."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield
