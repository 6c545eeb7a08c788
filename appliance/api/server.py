"""The HTTP server: uvicorn, started by us, without its clock, its signals and its prose."""

import asyncio
import contextlib
import errno
import ipaddress
import socket
import time
from collections.abc import Generator
from typing import Any

import uvicorn
from litestar.types import ASGIApp

from appliance.errors import ApplianceError

from .connection import READ_TIMEOUT_S, HttpConfig

_BACKLOG = 2048
_KEEP_ALIVE_S = 75
_GRACE_S = 5
_LOOK_EVERY_S = 0.005


class HttpServer(uvicorn.Server):
    """Serves one application on its sockets until `stop` is called. Idle, it does nothing at all."""

    def __init__(self, app: ASGIApp, read_timeout_s: float = READ_TIMEOUT_S) -> None:
        """A client that does not send its request within `read_timeout_s` is cut off."""
        config = HttpConfig(
            app,
            read_timeout_s,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            # A forwarded address would let anybody pass for loopback
            proxy_headers=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_GRACE_S,
        )
        super().__init__(config)
        self._stopping = asyncio.Event()
        self.listening = asyncio.Event()

    def stop(self) -> None:
        """End `serve` once the answers under way are sent, or a few seconds later."""
        self._stopping.set()

    async def main_loop(self) -> None:
        """Wait for `stop`; uvicorn's own loop wakes ten times a second to look at the clock."""
        self.listening.set()
        await self._stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close every connection once its answer is sent, or after the grace; without any, at once."""
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        ends_s = time.monotonic() + _GRACE_S
        while self._is_answering and not self.force_exit and time.monotonic() < ends_s:  # noqa: ASYNC110 - uvicorn's sets
            await asyncio.sleep(_LOOK_EVERY_S)
        for task in self.server_state.tasks:
            task.cancel()

    @property
    def _is_answering(self) -> bool:
        return bool(self.server_state.connections or self.server_state.tasks)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to the daemon, which drains first."""
        yield


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach `host`; a name counts when all its addresses do."""
    return all(ipaddress.ip_address(address[4][0]).is_loopback for address in _resolve(host, 0))


def bind(host: str, port: int, *, is_ollamas: bool = False) -> socket.socket:
    """Return a socket that listens. Raises: ApplianceError, which says who is in the way.

    `is_ollamas` says that it is the second one, for clients of Ollama.
    """
    family, _, _, _, address = _resolve(host, port)[0]
    # asyncio sends without delay only where the protocol is named; else a body waits 40 ms behind its headers
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        # Clients wait in the backlog while the rest starts; two sockets that only bind could share the port
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise ApplianceError(_why(error, host, port, is_ollamas)) from None
    return listener


def url_of(listener: socket.socket) -> str:
    """Return the address that clients of this machine use."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104  (compared, not bound)
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104  (compared, not bound)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _resolve(host: str, port: int) -> list[Any]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ApplianceError(f"server.host {host!r} is not an address of this machine: {error.strerror}") from None


def _why(error: OSError, host: str, port: int, is_ollamas: bool) -> str:
    if error.errno == errno.EADDRINUSE and is_ollamas:
        return (
            f"port {port} is in use, most likely by Ollama itself; stop it (systemctl stop ollama) or start without "
            "--ollama-port"
        )
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use; stop what listens there or choose another: appliance serve --port {port + 1}"
    if error.errno == errno.EACCES:
        return f"port {port} needs root; choose one from 1024 on: appliance serve --port 8484"
    return f"cannot listen on {host}:{port}: {error.strerror}"
