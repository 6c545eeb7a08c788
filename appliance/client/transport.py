"""HTTP to one daemon: requests, Server-Sent Events, and what goes wrong. Knows no route.

It stands on the standard library: importing httpx alone takes as long as `appliance ps` may take as a whole.
"""

import http.client
import socket
import ssl
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from appliance.errors import ApplianceError
from appliance.words import tr

DEFAULT_URL = "http://127.0.0.1:8484"
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 120.0
"""Longest silence. The daemon sends comments in a stream while it waits, so this ends only a connection that died."""

_T = TypeVar("_T")


class ClientError(Exception):
    """The daemon answered with an error, or not as its API promises. `status` None: there was no whole answer."""

    def __init__(
        self, message: str, *, status: int | None = None, code: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s


class NoDaemon(ClientError):
    """Nothing answers at the address."""


class ErrorBody(msgspec.Struct, frozen=True):
    """The inside of the error envelope."""

    message: str
    code: str | None = None


class _Envelope(msgspec.Struct, frozen=True):
    error: ErrorBody


class Transport:
    """Sends requests to one address, each over a connection of its own, so that threads may share it.

    Every method raises: NoDaemon, ClientError.
    """

    def __init__(
        self, url: str, key: str | None, read_timeout_s: float = READ_TIMEOUT_S, *, on_behalf_of: str | None = None
    ) -> None:
        """`on_behalf_of` is the caller for whom this machine's own key asks; another key may not say so."""
        self._caller = on_behalf_of
        self.url = url.rstrip("/")
        self._read_timeout_s = read_timeout_s
        try:
            parts = urlsplit(self.url)
            self._host, self._port = parts.hostname or "", parts.port
        except ValueError:
            self._host = ""
        if not self._host or parts.scheme not in ("http", "https"):
            raise ClientError(tr("{url!r} is not an address; write it as {example}", url=url, example=DEFAULT_URL))
        if key and not (key.isascii() and key.isprintable()):
            raise ClientError(tr("the API key holds characters that no key has; was it copied whole?"))
        self._is_tls = parts.scheme == "https"
        self._base = parts.path
        self._key = key
        self._sockets: set[socket.socket] = set()

    def hang_up(self) -> None:
        """End every exchange that is under way, from another thread: each raises ClientError there."""
        for each in tuple(self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def send(self, method: str, path: str, body: object = None) -> bytes:
        """Return the body of the answer."""
        with self._exchange(method, path, body) as response:
            return response.read()

    def call(self, method: str, path: str, kind: type[_T], body: object = None) -> _T:
        """Return the answer as a `kind`."""
        answer: _T = decode(self.send(method, path, body), kind)
        return answer

    def stream(
        self,
        path: str,
        body: object = None,
        *,
        method: str = "POST",
        after: int | None = None,
        heed: Callable[[dict[str, str]], object] = lambda headers: None,
    ) -> Generator[bytes, None, None]:
        """Yield the data of each Server-Sent Event; closing the iterator closes the connection.

        Our events have one `data` line each; comments and all else are skipped. `after` is the number of the last event
        that is known already. `heed` is shown the headers of the answer, their names in lower case.
        """
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        with self._exchange(method, path, body, headers) as response:
            heed({name.lower(): value for name, value in response.getheaders()})
            for line in response:
                if line.startswith(b"data:"):
                    yield line[5:].strip()

    @contextmanager
    def _exchange(
        self, method: str, path: str, body: object, more_headers: Mapping[str, str] = MappingProxyType({})
    ) -> Iterator[http.client.HTTPResponse]:
        """Send a request and give its answer once its status is known to be good; close the connection after."""
        headers = {"Accept": "application/json, text/event-stream", "Connection": "close", **more_headers}
        headers |= {"Authorization": f"Bearer {self._key}"} if self._key else {}
        headers |= {"X-Appliance-Caller": quote(self._caller)} if self._caller else {}
        headers |= {} if body is None else {"Content-Type": "application/json"}
        payload = None if body is None else msgspec.json.encode(body)
        with closing(self._connect()) as connection, self._listed(connection.sock):
            try:
                connection.request(method, self._base + path, body=payload, headers=headers)
                with connection.getresponse() as response:
                    if response.status >= 400:
                        raise self._to_error(response)
                    yield response
            except TimeoutError as error:
                raise ClientError(
                    tr(
                        "the daemon at {url} fell silent for {seconds:.0f} s",
                        url=self.url,
                        seconds=self._read_timeout_s,
                    )
                ) from error
            except (OSError, http.client.HTTPException) as error:
                raise cut_off() from error

    @contextmanager
    def _listed(self, connected: socket.socket) -> Iterator[None]:
        self._sockets.add(connected)
        try:
            yield
        finally:
            self._sockets.discard(connected)

    def _connect(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self._is_tls else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=CONNECT_TIMEOUT_S)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise NoDaemon(self._why_not(error)) from error
        # Without this the end of a small request waits until its beginning is acknowledged.
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sock.settimeout(self._read_timeout_s)
        return connection

    def _why_not(self, error: OSError) -> str:
        match error:
            case socket.gaierror():
                return tr("no machine is known by the name {host}", host=self._host)
            case ssl.SSLCertVerificationError():
                why = error.verify_message
                return tr("the certificate of {url} is not to be trusted: {why}", url=self.url, why=why)
            case ssl.SSLError():
                return tr("{url} does not speak TLS; is its address http:// instead?", url=self.url)
        return tr("no daemon answers at {url}", url=self.url)

    def _to_error(self, response: http.client.HTTPResponse) -> ClientError:
        retry_after = response.headers.get("Retry-After", "")
        try:
            body = msgspec.json.decode(response.read(), type=_Envelope).error
        except msgspec.DecodeError:
            message = "{url} answered {status} {reason}, not as an appliance does; is it the right address?"
            told = tr(message, url=self.url, status=response.status, reason=response.reason)
            return ClientError(told, status=response.status)
        return ClientError(
            body.message,
            status=response.status,
            code=body.code,
            retry_after_s=float(retry_after) if retry_after.isdecimal() else None,
        )


def decode(data: bytes, kind: Any) -> Any:
    """Return `data`, which is JSON, as a `kind`. Raises: ClientError."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.DecodeError as error:
        message = "the daemon's answer is not understood ({error}); is it of another version than this command?"
        raise ClientError(tr(message, error=error)) from error


def quoted(model: str) -> str:
    """Return a model's name as the end of a path, readable as it is."""
    return quote(model, safe="/:@+,")


def cut_off() -> ClientError:
    """Return the error for an answer that ended before its end."""
    return ClientError(tr("the daemon closed the connection before its answer was complete; its log says why"))


def to_status(code: str | None) -> int | None:
    """Return the HTTP status that belongs to an error's code, for errors that come inside a stream."""
    return _STATUSES.get(code)


def _statuses(root: type[ApplianceError]) -> dict[str | None, int]:
    below = {code: status for kind in root.__subclasses__() for code, status in _statuses(kind).items()}
    return {root.code: root.status} | below


_STATUSES = _statuses(ApplianceError)
