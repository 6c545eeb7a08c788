"""What every request passes before it reaches a route: an id, the checks of host and origin, authentication."""

import logging
import re
import secrets
import time
from email.utils import formatdate

from litestar.enums import HttpMethod, ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from appliance.dialects.prefix import RequestPath
from appliance.errors import ApplianceError
from appliance.service.normalizing import Normalizing

from .access import Authenticator, HostGuard, OriginGuard
from .cors import Cors
from .errors import body_of, headers_of, unexpected
from .page import FILES as PAGE_FILES
from .sse import Headers

OPEN_PATHS = (*PAGE_FILES, "/health", "/ready", "/schema", "/schema/openapi.json")
# OpenAI's clients read the first of them, Anthropic's the second
_ID_HEADERS = (b"x-request-id", b"request-id")
_SANE_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")

logger = logging.getLogger(__name__)


class Gate:
    """The outermost ASGI application. `scope["state"]` leaves it with `request_id` and `caller`."""

    def __init__(
        self,
        app: ASGIApp,
        hosts: HostGuard,
        origins: OriginGuard,
        cors: Cors,
        authenticator: Authenticator,
        normalizing: Normalizing,
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._origins = origins
        self._cors = cors
        self._authenticator = authenticator
        self._normalizing = normalizing
        self._dated_s, self._dated = 0, b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through or answer it here."""
        if scope["type"] != ScopeType.HTTP:
            return
        http = self._normalized(scope)
        headers = dict(http["headers"])
        request_id = _request_id(headers)
        own = [*((name, request_id) for name in _ID_HEADERS), *self._cors.headers(headers)]
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], *own, (b"date", self._date())]
            await send(message)

        state = http.setdefault("state", {})
        state["request_id"] = request_id.decode()
        try:
            self._hosts.check(headers)
            if (allowed := self._cors.preflight(http["method"], headers)) is not None:
                await _send(204, allowed, b"", send_with_id)
                return
            self._origins.check(http["method"], http["path"], headers)
            if http["path"] not in OPEN_PATHS:
                state["caller"] = self._authenticator.caller(headers, http["client"] and http["client"][0])
            if http["method"] == "HEAD":
                # The server cuts the body of what GET answers
                http = {**http, "method": HttpMethod.GET}
            await self._app(http, receive, send_with_id)
        except ApplianceError as error:
            await _refuse(error, http, send_with_id)
        except Exception as error:
            if started:
                logger.exception("request %s failed after its response had begun", request_id.decode())
                raise
            await _refuse(unexpected(error, request_id.decode()), http, send_with_id)

    def _normalized(self, scope: HTTPScope) -> HTTPScope:
        path = self._normalizing.apply(RequestPath(scope["path"])).path
        if path == scope["path"]:
            return scope
        prefix = scope["path"].removesuffix(path)
        return {**scope, "path": path, "raw_path": scope["raw_path"].removeprefix(prefix.encode())}

    def _date(self) -> bytes:
        """Return the time as HTTP writes it; formatted once a second, and never while nobody asks."""
        now_s = int(time.time())
        if now_s != self._dated_s:
            self._dated_s, self._dated = now_s, formatdate(now_s, usegmt=True).encode()
        return self._dated


def _request_id(headers: dict[bytes, bytes]) -> bytes:
    given = headers.get(b"x-request-id", b"")
    return given if _SANE_ID.fullmatch(given) else b"req-" + secrets.token_hex(12).encode()


async def _refuse(error: ApplianceError, scope: Scope, send: Send) -> None:
    body = body_of(error, scope)
    headers: Headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    headers += [(name.encode(), value.encode()) for name, value in headers_of(error).items()]
    await _send(error.status, headers, body, send)


async def _send(status: int, headers: Headers, body: bytes, send: Send) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
