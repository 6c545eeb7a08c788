"""`/v1/files` on the wire: what a form says of a file, and what is told of it."""

from collections.abc import Mapping, Sequence

import msgspec

from appliance.core.files import UserFile
from appliance.dialects.pages import check_limit, page_behind
from appliance.errors import InvalidRequest

PURPOSES = ("batch", "user_data", "assistants", "fine-tune", "vision", "evals")
MAX_PAGE_FILES = 10_000
MIN_KEEP_S, MAX_KEEP_S = 3600.0, 2592000.0
_ANCHOR, _SECONDS = "expires_after[anchor]", "expires_after[seconds]"
# Source: OpenAI's API reference, "Upload file": batch files expire after 30 days unless the request says otherwise
_KEEP_BATCH_S = 30 * 86400.0


class FileWire(msgspec.Struct, frozen=True, kw_only=True):
    """A file."""

    id: str
    bytes: int
    created_at: int
    expires_at: int | None
    filename: str
    purpose: str
    object: str = "file"
    status: str = "processed"


class FilesWire(msgspec.Struct, frozen=True, kw_only=True):
    """A page of files."""

    data: list[FileWire]
    first_id: str | None
    last_id: str | None
    has_more: bool
    object: str = "list"


class FileDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a deletion."""

    id: str
    object: str = "file"
    deleted: bool = True


def purpose_of(fields: Mapping[str, str]) -> str:
    """Return what a file is for. Raises: InvalidRequest."""
    purpose = fields.get("purpose", "")
    if purpose not in PURPOSES:
        known = ", ".join(f"'{each}'" for each in PURPOSES)
        raise InvalidRequest(f"'purpose' is {purpose[:40]!r}; it is one of {known}", param="purpose")
    return purpose


def keep_s_of(fields: Mapping[str, str]) -> float | None:
    """Return how long a file is kept, None: until it is deleted. Raises: InvalidRequest."""
    seconds = fields.get(_SECONDS)
    if seconds is None:
        return _KEEP_BATCH_S if fields.get("purpose") == "batch" else None
    if fields.get(_ANCHOR, "created_at") != "created_at":
        raise InvalidRequest("'expires_after[anchor]' is 'created_at' or nothing", param=_ANCHOR)
    if not seconds.isdecimal() or not MIN_KEEP_S <= float(seconds) <= MAX_KEEP_S:
        raise InvalidRequest(
            f"'{_SECONDS}' is {seconds[:20]!r}; it is from {MIN_KEEP_S:.0f} to {MAX_KEEP_S:.0f}", param=_SECONDS
        )
    return float(seconds)


def file_wire(file: UserFile) -> FileWire:
    """Return a file as it is told."""
    return FileWire(
        id=file.id,
        bytes=file.size_bytes,
        created_at=int(file.created_s),
        expires_at=None if file.expires_s is None else int(file.expires_s),
        filename=file.filename,
        purpose=file.purpose,
    )


def files_wire(
    files: Sequence[UserFile], *, purpose: str | None, after: str | None, limit: int, order: str
) -> FilesWire:
    """Return a page of files, which come the newest first. Raises: InvalidRequest."""
    check_limit(limit, MAX_PAGE_FILES)
    wanted = [file for file in files if purpose is None or file.purpose == purpose]
    ordered = wanted if order == "desc" else wanted[::-1]
    found, has_more = page_behind(after, ordered, limit, lambda file: file.id, "file")
    page = [file_wire(file) for file in found]
    first, last = (page[0].id, page[-1].id) if page else (None, None)
    return FilesWire(data=page, first_id=first, last_id=last, has_more=has_more)
