"""Short questions to web servers: bounded in size and time, and secrets for nobody but the host they belong to."""

import functools
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec

from models.sources.base import SourceError, SourceUnavailable
from models.sources.failures import network_failure, status_failure

MAX_ANSWER_BYTES = 32 * 2**20
MAX_REDIRECTS = 5
MAX_ANSWER_S = 120.0
_TIMEOUT = httpx.Timeout(30.0, connect=15.0)
_MOVED = frozenset({301, 302, 303, 307, 308})
Form = TypeVar("Form")
_SECRET_HEADERS = ("authorization", "cookie")


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What came back, after all redirects. Header names are lower case."""

    status: int
    url: str
    headers: Mapping[str, str]
    body: bytes

    def failed(self) -> SourceError:
        """Return what an answer without success means."""
        return status_failure(self.status, self.headers, host_of(self.url), self.url)

    def json(self, form: type[Form]) -> Form:
        """Return the body as a value of that form. Raises: SourceError."""
        try:
            return msgspec.json.decode(self.body, type=form)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise SourceError(
                f"{host_of(self.url)} answered with something that is not of its protocol; is the address of the "
                "source right, and does the network ask for a login in a browser first?"
            ) from None


def host_of(url: str) -> str:
    """Return the host that a person would recognise, with its port if it is named."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or url[:120]
    except ValueError:
        return url[:120]


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Return what may share a secret: scheme, host and port. What is no address has an origin of its own."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        return parts.scheme, (parts.hostname or "").lower(), port
    except ValueError:
        return "", url, None


@functools.cache
def trusted() -> ssl.SSLContext:
    """Return who may speak for a host: also whom the owner of the machine has added, for a mirror inside."""
    context = httpx.create_ssl_context()
    context.load_default_certs()
    return context


class Web:
    """Asks and gives up in time."""

    def __init__(
        self,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        now: Callable[[], float] = time.monotonic,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._max_answer_bytes = max_answer_bytes
        self._now = now
        # A few questions are asked, so no connection is worth keeping: nothing is left open when the asking is over
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.Client(timeout=_TIMEOUT, verify=trusted(), limits=limits, transport=transport)

    def head(self, url: str, headers: Mapping[str, str] | None = None) -> WebAnswer:
        """Ask for what a file is like. Raises: SourceError, SourceUnavailable."""
        return self._ask("HEAD", url, headers or {})

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> WebAnswer:
        """Ask for a short answer. Raises: SourceError, SourceUnavailable."""
        return self._ask("GET", url, headers or {})

    def _ask(self, method: str, url: str, headers: Mapping[str, str]) -> WebAnswer:
        asked = {"Accept-Encoding": "identity", **headers}
        for _ in range(MAX_REDIRECTS + 1):
            if origin_of(url)[0] not in ("http", "https"):
                raise SourceError(f"{host_of(url)} is no address of the web: only http and https are followed")
            answer = self._ask_once(method, url, asked)
            if answer.status not in _MOVED or "location" not in answer.headers:
                return answer
            target = _joined(url, answer.headers["location"])
            if (origin_of(url)[0], origin_of(target)[0]) == ("https", "http"):
                raise SourceError(f"{host_of(url)} sends us on to an address without encryption, {host_of(target)}")
            if origin_of(target) != origin_of(url):
                asked = {name: value for name, value in asked.items() if name.lower() not in _SECRET_HEADERS}
            url = target
        raise SourceError(f"{host_of(url)} sends us from address to address, more than {MAX_REDIRECTS} times")

    def _ask_once(self, method: str, url: str, headers: Mapping[str, str]) -> WebAnswer:
        try:
            with self._client.stream(method, url, headers=dict(headers)) as response:
                body = b"" if method == "HEAD" else self._read(response)
                named = {name.lower(): value for name, value in response.headers.items()}
                return WebAnswer(response.status_code, url, named, body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise network_failure(error, host_of(url)) from error

    def _read(self, response: httpx.Response) -> bytes:
        ends_s, body = self._now() + MAX_ANSWER_S, bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > self._max_answer_bytes:
                raise SourceError(
                    f"{host_of(str(response.url))} answered with more than {self._max_answer_bytes} bytes"
                )
            if self._now() > ends_s:
                raise SourceUnavailable(f"{host_of(str(response.url))} took too long to answer; try again later")
        return bytes(body)


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        return location
