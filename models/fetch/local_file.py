"""A file on a disk of this machine, or on a stick in it, read as a download is."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from models.fetch.remote import Answer, Changed
from models.sources.base import SourceError

_CHUNK_BYTES = 2**20


class LocalFile:
    """What a `file://` URL names."""

    can_share = False

    def __init__(self, url: str) -> None:
        self._path = Path(unquote(urlsplit(url).path))
        self.host = str(self._path.parent)

    @contextmanager
    def open(self, start: int, end: int | None, version: str | None) -> Iterator[Answer]:
        """Give the bytes; the version is the moment of the last change."""
        try:
            with self._path.open("rb") as stream:
                status = self._path.stat()
                found = str(status.st_mtime_ns)
                if version is not None and found != version:
                    raise Changed(f"{self._path} was written to meanwhile")
                last = status.st_size if end is None else end
                chunks = _read(stream, start, last)
                yield Answer(size_bytes=status.st_size, version=found, is_range=True, chunks=chunks)
        except OSError as error:
            raise SourceError(f"{self._path}: {error.strerror or error}") from error


def _read(stream: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    stream.seek(start)
    while start < end and (chunk := stream.read(min(_CHUNK_BYTES, end - start))):
        start += len(chunk)
        yield chunk
