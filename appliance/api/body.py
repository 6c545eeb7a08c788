"""Bodies of requests: their type, their length, their meaning."""

from typing import TypeVar

from appliance.dialects.decode import decode_json
from appliance.errors import BodyTooLarge, UnsupportedMediaType

from .errors import ClientGone, HttpRequest

T = TypeVar("T")


async def read_json(request: HttpRequest, wire: type[T], max_body_bytes: int) -> T:
    """Return the body as a `wire`. Raises: UnsupportedMediaType, BodyTooLarge, InvalidRequest, ClientGone."""
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaType(f"the body is {media_type!r}; send JSON, with 'Content-Type: application/json'")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_body_bytes:
        raise _too_large(max_body_bytes)
    return decode_json(await _read(request, max_body_bytes), wire)


async def _read(request: HttpRequest, max_body_bytes: int) -> bytes:
    parts, num_bytes = [], 0
    while True:
        message = await request.receive()
        if message["type"] != "http.request":
            raise ClientGone
        parts.append(message["body"])
        num_bytes += len(message["body"])
        if num_bytes > max_body_bytes:
            raise _too_large(max_body_bytes)
        if not message["more_body"]:
            return b"".join(parts)


def _too_large(max_body_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body is longer than {max_body_bytes} bytes, which is server.max_body_bytes")
