"""Small answers that routes share."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Response
from litestar.connection import ASGIConnection
from litestar.enums import MediaType
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from appliance.core.caller import Caller
from appliance.core.caller import Scope as KeyScope
from appliance.errors import Forbidden


def json_response(value: object, status: int = 200) -> Response[bytes]:
    """Return a struct as a response. Sets and mappings are in order, so that equal values are equal bytes."""
    return Response(msgspec.json.encode(value, order="deterministic"), status_code=status, media_type=MediaType.JSON)


def json_reply(body: bytes, headers: Sequence[tuple[bytes, bytes]] = ()) -> ASGIApp:
    """Return JSON that is written already as an ASGI application: the hot path, without the framework's response."""
    return bytes_reply(body, b"application/json", headers)


def bytes_reply(body: bytes, media_type: bytes, headers: Sequence[tuple[bytes, bytes]] = ()) -> ASGIApp:
    """Return a body that is written already as an ASGI application."""

    async def reply(scope: Scope, receive: Receive, send: Send) -> None:
        own = [(b"content-type", media_type), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": [*own, *headers]})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    return reply


def caller_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Caller:
    """Return whom the gate let in."""
    caller: Caller = connection.state.caller
    return caller


def needs_operate(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Let only keys in that may load and add models. Raises: Forbidden."""
    _check(connection, "operate")


def needs_admin(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Let only keys in that may do everything. Raises: Forbidden."""
    _check(connection, "admin")


def _check(connection: ASGIConnection[Any, Any, Any, Any], scope: KeyScope) -> None:
    caller = caller_of(connection)
    if not caller.may(scope):
        raise Forbidden(f"this needs a key of scope {scope!r}; yours is of scope {caller.scope!r}")
