"""Every error as a response in the dialect of its path, whoever raised it."""

import logging
import math
from collections.abc import Iterable
from typing import Any, Protocol

from litestar import Request, Response
from litestar.enums import MediaType
from litestar.exceptions import HTTPException
from litestar.types import Scope

from appliance.dialects.anthropic.errors import envelope as anthropic_envelope
from appliance.dialects.ollama.errors import envelope as ollama_envelope
from appliance.dialects.openai.errors import envelope as openai_envelope
from appliance.errors import ApplianceError

HttpRequest = Request[Any, Any, Any]

_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
_DEFAULT_RETRY_S = 1.0
_UNEXPECTED = "something failed inside the appliance; its log has the cause under this response's x-request-id"

logger = logging.getLogger(__name__)


class ClientGone(Exception):
    """The client closed the connection before its answer was ready; nobody reads what is said now."""


def retry_after(error: ApplianceError) -> str | None:
    """Return the value of `Retry-After`, None where waiting does not help."""
    if error.retry_after_s is None and error.status not in (429, 503):
        return None
    seconds = _DEFAULT_RETRY_S if error.retry_after_s is None else error.retry_after_s
    return str(max(1, math.ceil(seconds)))


def headers_of(error: ApplianceError) -> dict[str, str]:
    """Return the headers that belong to an error."""
    headers = {"retry-after": after} if (after := retry_after(error)) else {}
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    if error.status in (501, 504):  # OpenAI's clients would send the request twice more, in vain or past its deadline
        headers["x-should-retry"] = "false"
    return headers


class Envelope(Protocol):
    """How a dialect writes an error."""

    def __call__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        request_id: str | None = None,
    ) -> bytes:
        """Return the body of a response with `status`. Every response has the request's id as a header."""


_DIALECTS: tuple[tuple[str, Envelope], ...] = (
    ("/v1/messages", anthropic_envelope),
    ("/api/", ollama_envelope),
)
"""The envelopes of paths that begin so; OpenAI's is everybody else's."""


def is_anthropic(scope: Scope) -> bool:
    """Return whether an Anthropic client asks, on a path that other dialects have, too."""
    return any(name == b"anthropic-version" for name, _ in scope["headers"])


def envelope_of(scope: Scope) -> Envelope:
    """Return how errors of a request are written."""
    if is_anthropic(scope):
        return anthropic_envelope
    path = scope["path"]
    return next((envelope for beginning, envelope in _DIALECTS if path.startswith(beginning)), openai_envelope)


def body_of(error: ApplianceError, scope: Scope) -> bytes:
    """Return the envelope of an error."""
    request_id: str = scope["state"]["request_id"]
    return envelope_of(scope)(error.status, error.message, param=error.param, code=error.code, request_id=request_id)


def unexpected(error: BaseException, request_id: str) -> ApplianceError:
    """Log an error that nobody foresaw and return what the caller may know of it."""
    logger.error("request %s failed unexpectedly", request_id, exc_info=error)
    return ApplianceError(_UNEXPECTED)


def render_appliance_error(request: HttpRequest, error: ApplianceError) -> Response[bytes]:
    """Answer with the error's own status."""
    return _response(error.status, body_of(error, request.scope), headers_of(error).items())


def render_http_error(request: HttpRequest, error: HTTPException) -> Response[bytes]:
    """Answer with the framework's status: no such route, no such method."""
    if error.status_code >= 500:
        return render_unexpected(request, error)
    message = f"{request.method} {request.url.path}: {error.detail}"
    envelope, code = envelope_of(request.scope), _CODES.get(error.status_code)
    body = envelope(error.status_code, message, code=code, request_id=request.state.request_id)
    return _response(error.status_code, body, (error.headers or {}).items())


def render_unexpected(request: HttpRequest, error: Exception) -> Response[bytes]:
    """Answer 500 without the cause, which goes to the log."""
    return render_appliance_error(request, unexpected(error, request.state.request_id))


def render_client_gone(_: HttpRequest, __: ClientGone) -> Response[bytes]:
    """Answer to nobody. 499 is nginx's number for it."""
    return _response(499, openai_envelope(499, "the client closed the connection"), ())


def _response(status: int, body: bytes, headers: Iterable[tuple[str, str]]) -> Response[bytes]:
    return Response(body, status_code=status, media_type=MediaType.JSON, headers=dict(headers))
