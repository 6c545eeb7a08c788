"""A medium as a request gives it: base64, a data URL, an address that is fetched later, or one that never is."""

import binascii
import hashlib
import re

import msgspec

from appliance.core.request import Media, MediaAddress, MediaKind
from appliance.errors import InvalidRequest

from .formats import KINDS, NOUNS, WANTED, format_of, other_name

MAX_URL_CHARACTERS = 2000
_DATA_URL = re.compile(r"data:(?P<type>[^,]{0,200}),", re.IGNORECASE)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}(?=:)")


class InputAudio(msgspec.Struct, frozen=True, kw_only=True):
    """A recording in base64. What it is shows in its bytes, whatever `format` says."""

    data: str
    format: str | None = None


def medium_of(data: bytes, kind: MediaKind, at: int, path: str) -> Media:
    """Return a file that was given at `path` of a request as the medium at `at`. Raises: InvalidRequest."""
    found = format_of(data)
    if found is None or KINDS[found] != kind:
        name = found or other_name(data)
        what = f"is {name}" if name else "is in no format that is known here"
        raise InvalidRequest(f"'{path}' {what}; send the {NOUNS[kind]} as {WANTED[kind]}", param=path)
    return Media(kind=kind, data=data, digest=hashlib.sha256(data).hexdigest(), at=at)


def from_base64(text: str, kind: MediaKind, at: int, path: str) -> Media:
    """Return the medium that a text in base64 is. Raises: InvalidRequest."""
    plain = "".join(text.split())
    try:
        data = binascii.a2b_base64(plain + "=" * (-len(plain) % 4), strict_mode=True)
    except ValueError:
        raise InvalidRequest(f"'{path}' is no base64", param=path) from None
    if not data:
        raise InvalidRequest(f"'{path}' is empty", param=path)
    return medium_of(data, kind, at, path)


def from_input_audio(wire: InputAudio | None, at: int, path: str) -> Media:
    """Return the recording that stands in OpenAI's field `input_audio`. Raises: InvalidRequest."""
    if wire is None:
        raise InvalidRequest(f"'{path}' is required", param=path)
    return from_base64(wire.data, "audio", at, f"{path}.data")


def from_url(url: str, kind: MediaKind, at: int, path: str) -> Media | MediaAddress:
    """Return the medium in a data URL, or the address of one. Raises: InvalidRequest, for every other scheme."""
    if head := _DATA_URL.match(url):
        if not head["type"].lower().endswith(";base64"):
            raise InvalidRequest(f"'{path}' is a data URL that is not in base64", param=path)
        return from_base64(url[head.end() :], kind, at, path)
    scheme = _SCHEME.match(url)
    if scheme is None or scheme[0].lower() not in ("http", "https"):
        what = f"an address of the kind {scheme[0].lower()!r}, which is never read" if scheme else "no address"
        raise InvalidRequest(
            f"'{path}' is {what}; send a data URL (data:image/png;base64,...), or an https address of a host that "
            "media.allowed_hosts names",
            param=path,
        )
    if len(url) > MAX_URL_CHARACTERS:
        raise InvalidRequest(f"'{path}' is longer than {MAX_URL_CHARACTERS} characters", param=path)
    return MediaAddress(kind=kind, url=url, at=at, param=path)


def from_file(file_id: str, kind: MediaKind, at: int, path: str) -> MediaAddress:
    """Return the medium that is one of the caller's files. Raises: InvalidRequest."""
    if not file_id:
        raise InvalidRequest(f"'{path}' is empty", param=path)
    return MediaAddress(kind=kind, file_id=file_id, at=at, param=path)
