"""The parts of the facts, each looked at in a thread of its own: one may fail or hang without the others noticing."""

import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Part(Generic[T]):
    """Starts at once. The thread ends with the process at the latest, even when it hangs in a dead file system."""

    def __init__(self, name: str, look: Callable[[], T], unknown: T, deadline_s: float) -> None:
        self.name = name
        self.failure: str | None = None
        self._look = look
        self._unknown = unknown
        self._seen: T = unknown
        self._deadline_s = deadline_s
        self._thread = threading.Thread(target=self._run, name=f"doctor: {name}", daemon=True)
        self._thread.start()

    def result(self) -> T:
        """Return what was seen; what stands for not knowing, when it failed or is late."""
        self._thread.join(max(0.0, self._deadline_s - time.monotonic()))
        if self._thread.is_alive():
            self.failure = "it did not answer in time"
            return self._unknown
        return self._seen

    def _run(self) -> None:
        try:
            self._seen = self._look()
        except Exception as error:  # whatever is wrong with this part of the machine, the others are looked at
            self.failure = _words(error)


class Parts:
    """Starts parts that all have to be done at one moment (of the monotonic clock)."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._parts: list[Part[Any]] = []

    def start(self, name: str, look: Callable[[], T], unknown: T) -> Part[T]:
        """Look at a part; `unknown` stands for it when it fails."""
        part = Part(name, look, unknown, self._deadline_s)
        self._parts.append(part)
        return part

    def failures(self) -> tuple[tuple[str, str], ...]:
        """Return `(name, reason)` of every part that failed or was late."""
        return tuple((part.name, part.failure) for part in self._parts if part.failure is not None)


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}".rstrip(": ")
