"""A file behind an URL: asked for in ranges, wherever its source has moved it."""

import http.client
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urljoin, urlsplit

from models.fetch.connections import Connections, Exchange, origin_of
from models.fetch.remote import Answer, Changed, Interrupted
from models.sources.base import SourceError
from models.sources.failures import retry_after_s

MAX_REDIRECTS = 10
_READ_BYTES = 2**18
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_EMPTY_RANGE = re.compile(r"bytes \*/0")
_MOVED = frozenset({301, 302, 303, 307, 308})
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_EXPIRED = frozenset({400, 401, 403, 404, 410})
"""What a signed address answers when its time is over."""
_SECRETS = frozenset({"authorization", "cookie"})

HeadersFor = Callable[[str], Mapping[str, str]]


class HttpFile:
    """`headers` are asked for anew at every address that a redirect leads to; secrets go to the first host alone."""

    can_share = True

    def __init__(self, connections: Connections, url: str, headers: HeadersFor) -> None:
        self._connections = connections
        self._url = self._location = checked_redirect(url, url)
        self._headers = headers
        self.host = urlsplit(url).hostname or url

    @contextmanager
    def open(self, start: int, end: int | None, version: str | None) -> Iterator[Answer]:
        """Ask for the bytes. A version is named to the server as well, so that it need not send what changed."""
        asked = {"Range": f"bytes={start}-{'' if end is None else end - 1}"}
        if version is not None and version.startswith('"'):
            asked["If-Range"] = version
        exchange = self._ask(asked)
        body = _Body(exchange.response, self.host)
        try:
            yield _to_answer(exchange.response, body, start, version)
        finally:
            exchange.close(is_read=body.is_read)

    def _ask(self, asked: Mapping[str, str]) -> Exchange:
        location = self._location
        exchange = self._follow(location, asked)
        if exchange.response.status in _EXPIRED and location != self._url:
            exchange.close(is_read=False)
            exchange = self._follow(self._url, asked)
        if exchange.response.status in (200, 206, 416):
            return exchange
        exchange.close(is_read=False)
        raise _to_error(exchange.response, self.host)

    def _follow(self, url: str, asked: Mapping[str, str]) -> Exchange:
        """Return the first answer that leads nowhere else, and remember where it was."""
        for _ in range(MAX_REDIRECTS):
            exchange = self._send(url, asked)
            target = exchange.response.headers.get("Location")
            if exchange.response.status not in _MOVED or target is None:
                self._location = url
                return exchange
            exchange.close(is_read=False)
            url = checked_redirect(url, urljoin(url, target))
        raise SourceError(f"{self.host} only ever says that the file is elsewhere; is the address right?")

    def _send(self, url: str, asked: Mapping[str, str]) -> Exchange:
        headers = dict(self._headers(url))
        if origin_of(urlsplit(url)) != origin_of(urlsplit(self._url)):
            headers = {name: value for name, value in headers.items() if name.lower() not in _SECRETS}
        try:
            return self._connections.get(url, {**headers, **asked})
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _to_interruption(error, urlsplit(url).hostname or self.host) from error


class _Body:
    """The body of an answer, as long as its header says and no longer."""

    def __init__(self, response: http.client.HTTPResponse, host: str) -> None:
        self._response = response
        self._host = host
        self.is_read = response.length == 0

    def __iter__(self) -> Iterator[bytes]:
        left = self._response.length
        try:
            while left is None or left > 0:
                chunk = self._response.read1(_READ_BYTES if left is None else min(_READ_BYTES, left))
                if not chunk:
                    break
                left = None if left is None else left - len(chunk)
                self.is_read = left == 0
                yield chunk
        except (OSError, http.client.HTTPException) as error:
            raise _to_interruption(error, self._host) from error
        if left:
            raise Interrupted(f"{self._host} broke off before the end")
        self.is_read = True


def _to_answer(response: http.client.HTTPResponse, body: _Body, start: int, version: str | None) -> Answer:
    host, headers = body._host, response.headers
    found = headers.get("ETag") or headers.get("Last-Modified")
    if headers.get("Content-Encoding", "identity") != "identity":
        raise SourceError(f"{host} sends the file in another form than it has (Content-Encoding)")
    if response.status == 416:
        if not _EMPTY_RANGE.fullmatch(headers.get("Content-Range", "")):
            raise Changed(f"{host} has less of the file than before")
        return Answer(size_bytes=0, version=found, is_range=True, chunks=iter(()))
    if version is not None and found is not None and found != version:
        raise Changed(f"{host} has another file at this address than before")
    if response.status == 200:
        if start > 0:
            raise Changed(f"{host} sends the file from its beginning, and not from where it was asked to")
        return Answer(size_bytes=response.length, version=found, is_range=False, chunks=iter(body))
    match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
    if match is None or int(match[1]) != start:
        raise SourceError(f"{host} sends other bytes of the file than it was asked for")
    size_bytes = None if match[3] == "*" else int(match[3])
    return Answer(size_bytes=size_bytes, version=found, is_range=True, chunks=iter(body))


def checked_redirect(before: str, after: str) -> str:
    """Return the second address. Raises: SourceError, where it is none, or gives up the first's encryption."""
    parts, former = urlsplit(after), urlsplit(before)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SourceError(f"{after.partition('?')[0]!r} is no web address")
    if former.scheme == "https" and parts.scheme != "https":
        raise SourceError(
            f"{former.hostname} sends us on to {parts.hostname} without encryption; this is refused, since anybody on "
            "the way could put another file in its place"
        )
    return after


def _to_interruption(error: Exception, host: str) -> Interrupted | SourceError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return SourceError(f"{host} does not prove who it is: {error.verify_message}")
    if isinstance(error, ValueError):
        return SourceError(f"{host}: this address or header cannot be sent ({error})")
    if isinstance(error, TimeoutError):
        return Interrupted(f"{host} does not answer")
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return Interrupted(f"{host} cannot be reached or broke off ({reason})")


def _to_error(response: http.client.HTTPResponse, host: str) -> Interrupted | SourceError:
    status = response.status
    if status in _AGAIN:
        wait_s = retry_after_s({name.lower(): value for name, value in response.headers.items()})
        return Interrupted(f"{host} answers {status} for now", wait_s, is_crowded=status == 429)
    if status in (401, 403):
        return SourceError(
            f"{host} answers {status}: it gives this file only to those it knows; accept the model's terms there, if "
            "it has any, and put your access token into [downloads] of the settings"
        )
    if status in (404, 410):
        return SourceError(f"{host} answers {status}: there is no such file (any more)")
    return SourceError(f"{host} answers {status}, which is no file")
