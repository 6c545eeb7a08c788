"""Anthropic's error envelope."""

import re

import msgspec

from appliance.errors import ApplianceError, ContextLengthExceeded

_TOO_LONG = re.compile(r"has (?P<prompt>\d+) tokens.* context length is (?P<context>\d+) tokens", re.DOTALL)
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


class Details(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a program may go by. `param`, the field at fault, is ours."""

    error_code: str | None = None
    param: str | None = None


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, as Anthropic's clients read it."""

    type: str
    message: str
    details: Details | None


class Envelope(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="error"):
    """The whole body of an error response."""

    error: ErrorBody
    request_id: str | None


def envelope(
    status: int, message: str, *, param: str | None = None, code: str | None = None, request_id: str | None = None
) -> bytes:
    """Return the body of a response with `status`."""
    details = Details(error_code=code, param=param) if code or param else None
    if code == ContextLengthExceeded.code:
        message = _too_long(message)
    error = ErrorBody(type=_type(status), message=message, details=details)
    return msgspec.json.encode(Envelope(error=error, request_id=request_id))


def error_event(error: ApplianceError, request_id: str | None = None) -> bytes:
    """Return `error` as the last event of a stream whose status was already sent."""
    body = envelope(error.status, error.message, param=error.param, code=error.code, request_id=request_id)
    return b"event: error\ndata: %b\n\n" % body


def _too_long(message: str) -> str:
    """Return `message` behind the words by which Claude Code knows that it has to shorten its conversation."""
    found = _TOO_LONG.search(message)
    figures = f"{found['prompt']} tokens > {found['context']} maximum; " if found else ""
    return f"prompt is too long: {figures}{message}"


def _type(status: int) -> str:
    return _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
