"""OpenAI's error envelope, which every route answers with."""

import msgspec

from appliance.errors import ApplianceError


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, as OpenAI's clients read it."""

    message: str
    type: str
    param: str | None
    code: str | None


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The whole body of an error response."""

    error: ErrorBody


def envelope(
    status: int, message: str, *, param: str | None = None, code: str | None = None, request_id: str | None = None
) -> bytes:
    """Return the body of a response with `status`. OpenAI's clients find `request_id` in a header alone."""
    return msgspec.json.encode(
        Envelope(error=ErrorBody(message=message, type=_type(status), param=param, code=code)),
    )


def error_event(error: ApplianceError) -> bytes:
    """Return `error` as the last event of a stream whose status was already sent."""
    return b"data: %b\n\n" % envelope(error.status, error.message, param=error.param, code=error.code)


def _type(status: int) -> str:
    if status >= 500:
        return "server_error"
    return {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}.get(
        status, "invalid_request_error"
    )
