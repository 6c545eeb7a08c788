"""What every source of models says: which model a reference means, and which files it is made of."""

from typing import Protocol

import msgspec

from models.errors import StoreError
from models.manifest import ModelPreset, SourceKind


class SourceError(StoreError):
    """A source has no such model, refuses it or cannot be reached; the message says what to do."""


class SourceUnavailable(SourceError):
    """A source does not answer now, or asks to be left alone for a while: the same request may succeed later."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RemoteFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a model at its source. `name` is relative to the model's folder; unknown is None.

    `url` may need the headers of `Source.headers`, which are never stored. A source states one digest or the other, or
    none: `git_sha1` is that of Git's blob, SHA-1 over `blob <size>\\0` and the content.
    """

    name: str
    url: str
    size_bytes: int | None = None
    sha256: str | None = None
    git_sha1: str | None = None


class RemoteModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model, in one format, as a source offers it: `files[0]` is the one that is opened.

    `reference` is complete, with what the source calls the version now, so that it names the same files for ever.
    `choice` says which of several forms was taken, and why. `licence` is an SPDX identifier in lower case, or the
    source's own word. `preset` is what the source has the model begin with; `template` is a chat template in a language
    that is not ours, kept to be looked at: the model's file has its own.
    """

    kind: SourceKind
    reference: str
    stem: str
    publisher: str | None = None
    revision: str | None = None
    licence: str | None = None
    choice: str | None = None
    preset: ModelPreset | None = None
    template: str | None = None
    files: tuple[RemoteFile, ...]

    @property
    def size_bytes(self) -> int | None:
        """Return the size of all files, None where one is not known."""
        sizes = [file.size_bytes for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size is not None)


class Source(Protocol):
    """One kind of source, at one address. All methods may wait for the network."""

    def resolve(self, reference: str, max_bytes: int | None = None) -> RemoteModel:
        """Return the model that a reference means; of several forms one of at most `max_bytes`, if there is one.

        Raises: SourceError, SourceUnavailable.
        """

    def headers(self, url: str) -> dict[str, str]:
        """Return what a request for a file needs beside its URL: secrets only for the host they belong to."""
