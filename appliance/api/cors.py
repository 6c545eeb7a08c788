"""What browsers are told about pages of other origins: those in `server.allowed_origins` and programs with a web view
may read answers, no other.

Source: WHATWG, Fetch Standard, "CORS protocol"; WICG, Private Network Access.
"""

from collections.abc import Iterable

from .access import Headers as RequestHeaders
from .access import is_program, known_origins
from .sse import Headers

_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
_MAX_AGE_S = 600
_READABLE = b"x-request-id, request-id, retry-after, x-queue-position, x-estimated-wait-s"


class Cors:
    """Without allowed origins, pages are told nothing at all."""

    def __init__(self, allowed_origins: Iterable[str]) -> None:
        self._allowed = known_origins(allowed_origins)

    def headers(self, request: RequestHeaders) -> Headers:
        """Return what every answer to this request says, an error and a stream like any other."""
        if not self._allowed and not self._knows(request):
            return []
        headers = [(b"vary", b"Origin")]  # a cache must not give one page's answer to another
        if self._knows(request):
            headers += [
                (b"access-control-allow-origin", request[b"origin"]),
                (b"access-control-expose-headers", _READABLE),
            ]
        return headers

    def preflight(self, method: str, request: RequestHeaders) -> Headers | None:
        """Return what to answer a browser that asks before it sends, None where this is no such question."""
        if method != "OPTIONS" or b"access-control-request-method" not in request or not self._knows(request):
            return None
        headers = [
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-allow-headers", request.get(b"access-control-request-headers", b"*")),
            (b"access-control-max-age", b"%d" % _MAX_AGE_S),
        ]
        if request.get(b"access-control-request-private-network") == b"true":
            headers.append((b"access-control-allow-private-network", b"true"))
        return headers

    def _knows(self, request: RequestHeaders) -> bool:
        origin = request.get(b"origin", b"").decode("latin-1").lower()
        return origin in self._allowed or is_program(origin)
