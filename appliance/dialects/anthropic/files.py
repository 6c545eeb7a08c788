"""`/v1/files` in Anthropic's shape: a form without a purpose, and files with a type of their own."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from mimetypes import guess_type

import msgspec

from appliance.core.files import UserFile
from appliance.dialects.pages import check_limit, page_behind
from appliance.errors import InvalidRequest

PURPOSE = "user_data"
"""What a file is for in the words of OpenAI's API, which lists it too."""

MAX_PAGE = 1000
_DEFAULT_PAGE = 20


class FileWire(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="file"):
    """A file."""

    id: str
    filename: str
    mime_type: str
    size_bytes: int
    created_at: str
    downloadable: bool = True


class FileListWire(msgspec.Struct, frozen=True, kw_only=True):
    """A page of files."""

    data: list[FileWire]
    has_more: bool
    first_id: str | None
    last_id: str | None


class FileDeleted(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="file_deleted"):
    """The answer to a deletion."""

    id: str


def file_wire(file: UserFile) -> FileWire:
    """Return a file as Anthropic's clients read it."""
    created = datetime.fromtimestamp(int(file.created_s), UTC)
    return FileWire(
        id=file.id,
        filename=file.filename,
        mime_type=guess_type(file.filename)[0] or "application/octet-stream",
        size_bytes=file.size_bytes,
        created_at=created.isoformat().replace("+00:00", "Z"),
    )


def file_page(files: Sequence[UserFile], query: Mapping[str, str]) -> FileListWire:
    """Return the page that `query` asks for with `limit` and `after_id`; `files` come the newest first.

    Raises: InvalidRequest.
    """
    limit = query.get("limit", str(_DEFAULT_PAGE))
    if not limit.isdecimal():
        raise InvalidRequest(f"'limit' is {limit[:20]!r}; it is a whole number", param="limit")
    check_limit(int(limit), MAX_PAGE)
    found, has_more = page_behind(query.get("after_id"), files, int(limit), lambda file: file.id, "file")
    page = [file_wire(file) for file in found]
    first, last = (page[0].id, page[-1].id) if page else (None, None)
    return FileListWire(data=page, has_more=has_more, first_id=first, last_id=last)
