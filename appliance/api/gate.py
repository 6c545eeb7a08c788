"""What every request passes before it reaches a route: an id, the checks of host and origin, authentication."""

import logging
import re
import secrets
import time
from email.utils import formatdate

from litestar.enums import HttpMethod, ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from appliance.errors import ApplianceError

from .access import Authenticator, HostGuard, OriginGuard
from .errors import body_of, headers_of, unexpected
from .sse import Headers

OPEN_PATHS = ("/health", "/ready")
_SANE_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")

logger = logging.getLogger(__name__)


class Gate:
    """The outermost ASGI application. `scope["state"]` leaves it with `request_id` and `caller`."""

    def __init__(self, app: ASGIApp, hosts: HostGuard, origins: OriginGuard, authenticator: Authenticator) -> None:
        self._app = app
        self._hosts = hosts
        self._origins = origins
        self._authenticator = authenticator
        self._dated_s, self._dated = 0, b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through or answer it here."""
        if scope["type"] != ScopeType.HTTP:
            return
        http = scope
        headers = dict(http["headers"])
        request_id = _request_id(headers)
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], (b"x-request-id", request_id), (b"date", self._date())]
            await send(message)

        state = http.setdefault("state", {})
        state["request_id"] = request_id.decode()
        try:
            self._hosts.check(headers)
            self._origins.check(http["method"], http["path"], headers)
            if http["path"] not in OPEN_PATHS:
                state["caller"] = self._authenticator.caller(headers, http["client"] and http["client"][0])
            if http["method"] == "HEAD":
                # The server cuts the body of what GET answers
                http = {**http, "method": HttpMethod.GET}
            await self._app(http, receive, send_with_id)
        except ApplianceError as error:
            await _refuse(error, http["path"], send_with_id)
        except Exception as error:
            if started:
                logger.exception("request %s failed after its response had begun", request_id.decode())
                raise
            await _refuse(unexpected(error, request_id.decode()), http["path"], send_with_id)

    def _date(self) -> bytes:
        """Return the time as HTTP writes it; formatted once a second, and never while nobody asks."""
        now_s = int(time.time())
        if now_s != self._dated_s:
            self._dated_s, self._dated = now_s, formatdate(now_s, usegmt=True).encode()
        return self._dated


def _request_id(headers: dict[bytes, bytes]) -> bytes:
    given = headers.get(b"x-request-id", b"")
    return given if _SANE_ID.fullmatch(given) else b"req-" + secrets.token_hex(12).encode()


async def _refuse(error: ApplianceError, path: str, send: Send) -> None:
    body = body_of(error, path)
    headers: Headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    headers += [(name.encode(), value.encode()) for name, value in headers_of(error).items()]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
