"""A file that a caller sent, or that a batch made for them."""

from typing import NewType

import msgspec

FileId = NewType("FileId", str)


class UserFile(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a file; its content lies beside, under its id. Times are seconds since 1970."""

    id: FileId
    owner: str
    purpose: str
    filename: str
    size_bytes: int
    created_s: float
    expires_s: float | None = None

    def has_expired(self, now_s: float) -> bool:
        """Return whether its time is over."""
        return self.expires_s is not None and self.expires_s <= now_s


class FileTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller says of a file: `keep_s` None keeps it until it is deleted."""

    purpose: str
    filename: str
    keep_s: float | None
