"""Ollama's errors: one sentence under `error`, as a body or as the last line of a stream."""

import msgspec

from appliance.errors import ApplianceError


class ErrorWire(msgspec.Struct, frozen=True):
    """The whole of it."""

    error: str


def envelope(
    status: int, message: str, *, param: str | None = None, code: str | None = None, request_id: str | None = None
) -> bytes:
    """Return the body of a response with `status`, which alone says what kind of error it is."""
    return msgspec.json.encode(ErrorWire(message))


def error_line(error: ApplianceError) -> bytes:
    """Return `error` as the last line of a stream whose status was already sent."""
    return envelope(error.status, error.message) + b"\n"
