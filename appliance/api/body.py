"""Bodies of requests: their type, their length, their meaning."""

from collections.abc import AsyncIterator
from typing import TypeVar

from appliance.dialects.decode import decode_json
from appliance.errors import BodyTooLarge, UnsupportedMediaType

from .errors import ClientGone, HttpRequest

T = TypeVar("T")


async def read_json(request: HttpRequest, wire: type[T], max_body_bytes: int, *, says_type: bool = True) -> T:
    """Return the body as a `wire`. Raises: UnsupportedMediaType, BodyTooLarge, InvalidRequest, ClientGone."""
    return decode_json(await read_body(request, max_body_bytes, says_type=says_type), wire)


async def read_body(request: HttpRequest, max_body_bytes: int, *, says_type: bool = True) -> bytes:
    """Return the body; it says that it is JSON unless `says_type` is False, for clients that never did.

    Raises: UnsupportedMediaType, BodyTooLarge, ClientGone.
    """
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if says_type and media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaType(f"the body is {media_type!r}; send JSON, with 'Content-Type: application/json'")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_body_bytes:
        raise _too_large(max_body_bytes)
    return await _read(request, max_body_bytes)


async def chunks_of(request: HttpRequest) -> AsyncIterator[bytes]:
    """Yield the body as it comes, whatever its type and length. Raises: ClientGone."""
    while True:
        message = await request.receive()
        if message["type"] != "http.request":
            raise ClientGone
        yield message["body"]
        if not message["more_body"]:
            return


async def _read(request: HttpRequest, max_body_bytes: int) -> bytes:
    parts, num_bytes = [], 0
    async for chunk in chunks_of(request):
        parts.append(chunk)
        num_bytes += len(chunk)
        if num_bytes > max_body_bytes:
            raise _too_large(max_body_bytes)
    return b"".join(parts)


def _too_large(max_body_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body is longer than {max_body_bytes} bytes, which is server.max_body_bytes")
