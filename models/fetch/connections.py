"""Connections to servers, kept while they are good, through the proxy that the environment names.

They stand on the standard library: its sockets cost a tenth of the processor time of a parser written in Python, which
on a small board decides how fast a model comes.
"""

import base64
import http.client
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

Origin: TypeAlias = tuple[str, str, int]
"""Scheme, host and port."""

_PORTS = {"http": 80, "https": 443}


@dataclass(slots=True)
class Exchange:
    """A request that was sent, and the answer whose body is still to be read; `close` it."""

    response: http.client.HTTPResponse
    _connection: http.client.HTTPConnection
    _origin: Origin
    _pool: "Connections"

    def close(self, *, is_read: bool) -> None:
        """Let the connection go: to the next request where the body was read whole, else for good."""
        self.response.close()
        if is_read and not self.response.will_close:
            self._pool.keep(self._origin, self._connection)
        else:
            self._connection.close()


class Connections:
    """Owns the connections of one download. Threads may share it; `close` it at the end."""

    def __init__(self, connect_timeout_s: float, stall_timeout_s: float) -> None:
        self._connect_timeout_s = connect_timeout_s
        self._stall_timeout_s = stall_timeout_s
        self._idle: dict[Origin, list[http.client.HTTPConnection]] = {}
        self._lock = threading.Lock()
        self._proxies = getproxies()

    def get(self, url: str, headers: Mapping[str, str]) -> Exchange:
        """Ask for a URL. Raises: OSError, http.client.HTTPException."""
        parts = urlsplit(url)
        origin = origin_of(parts)
        kept = self._take(origin)
        if kept is not None:
            try:
                return self._send(kept, origin, parts, headers)
            except (OSError, http.client.HTTPException):
                kept.close()  # the server let go of it while it was idle
        fresh = self._connect(origin)
        try:
            return self._send(fresh, origin, parts, headers)
        except BaseException:
            fresh.close()
            raise

    def keep(self, origin: Origin, connection: http.client.HTTPConnection) -> None:
        """Take a connection back that can be used again."""
        with self._lock:
            self._idle.setdefault(origin, []).append(connection)

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle = [connection for connections in self._idle.values() for connection in connections]
            self._idle.clear()
        for connection in idle:
            connection.close()

    def _take(self, origin: Origin) -> http.client.HTTPConnection | None:
        with self._lock:
            idle = self._idle.get(origin)
            return idle.pop() if idle else None

    def _send(
        self, connection: http.client.HTTPConnection, origin: Origin, parts: SplitResult, headers: Mapping[str, str]
    ) -> Exchange:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        sent = {"User-Agent": "llm-appliance", "Accept": "*/*", **headers}
        proxy = self._proxy(origin) if origin[0] == "http" else None
        if proxy is not None:
            path = f"http://{parts.netloc.rpartition('@')[2]}{path}"
            sent |= _proxy_authorization(proxy)
        connection.request("GET", path, headers=sent)
        return Exchange(connection.getresponse(), connection, origin, self)

    def _connect(self, origin: Origin) -> http.client.HTTPConnection:
        scheme, host, port = origin
        proxy = self._proxy(origin)
        target = (host, port) if proxy is None else (proxy.hostname or "", proxy.port or 8080)
        timeout_s = self._connect_timeout_s
        connection: http.client.HTTPConnection
        if scheme == "https":
            connection = http.client.HTTPSConnection(*target, timeout=timeout_s, context=self._tls)
            if proxy is not None:
                connection.set_tunnel(host, port, headers=_proxy_authorization(proxy))
        else:
            connection = http.client.HTTPConnection(*target, timeout=timeout_s)
        connection.connect()
        connection.sock.settimeout(self._stall_timeout_s)
        return connection

    def _proxy(self, origin: Origin) -> SplitResult | None:
        scheme, host, _ = origin
        address = self._proxies.get(scheme) or self._proxies.get("all")
        if not address or proxy_bypass(host):
            return None
        return urlsplit(address if "://" in address else f"http://{address}")

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Return what checks a server's certificate by those that this machine trusts."""
        return ssl.create_default_context()


def origin_of(parts: SplitResult) -> Origin:
    """Return whom an address is sent to."""
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)


def _proxy_authorization(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
