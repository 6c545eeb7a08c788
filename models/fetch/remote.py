"""What a download asks of the place where a file lies, and what can be wrong with the answers."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


class Interrupted(Exception):
    """The bytes stopped coming, or did not begin to; asking again may help. `wait_s` is what the server asks for.

    `is_crowded`: it answered that we ask too much of it.
    """

    def __init__(self, message: str, wait_s: float | None = None, *, is_crowded: bool = False) -> None:
        super().__init__(message)
        self.wait_s = wait_s
        self.is_crowded = is_crowded


class Changed(Exception):
    """The source has another content under this address than it had a moment ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Bytes of a file as they come. `size_bytes` is the whole file's, None where the source does not say.

    `version` is the source's own word for the content, None where it has none. `is_range`: the bytes are those that
    were asked for, and not the whole file from its beginning.
    """

    size_bytes: int | None
    version: str | None
    is_range: bool
    chunks: Iterator[bytes]


class RemoteBytes(Protocol):
    """Where the bytes of one file lie. Threads may share it. `host` is how people know the place."""

    host: str
    can_share: bool
    """Whether several connections are faster than one."""

    def open(self, start: int, end: int | None, version: str | None) -> AbstractContextManager[Answer]:
        """Ask for `[start, end)`, of that version if one is named.

        Raises: Interrupted, Changed, SourceError; so do the chunks.
        """
