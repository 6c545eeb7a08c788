"""Those who are told: a receiver of webhooks and of ntfy, and a server that takes e-mail, on this machine."""

import queue
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal


@dataclass
class Receiver:
    """Answers a path with each of its `statuses` once, then with 204 as soon as it `may_take`, and keeps what came.

    `headers` stand in every answer. What has come is in `got` before it is answered.
    """

    port: int = 0
    scheme: str = "http"
    statuses: dict[str, list[int]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    may_take: threading.Event = field(default_factory=threading.Event)
    got: "queue.Queue[tuple[str, dict[str, str], bytes]]" = field(default_factory=queue.Queue)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def next(self) -> tuple[str, dict[str, str], bytes]:
        """Return path, headers and body of the next request; wait for it."""
        return self.got.get(timeout=30)

    def status(self, path: str) -> int:
        """Return what a request to this path is answered; where it is taken in, wait until it may be."""
        if planned := self.statuses.get(path):
            return planned.pop(0)
        self.may_take.wait()
        return 204


@contextmanager
def receiving(certificate: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Receive over http, or over https with this certificate."""
    receiver = Receiver(scheme="https" if certificate else "http")
    receiver.may_take.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.got.put((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            status = receiver.status(self.path)
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", f"{receiver.url}/elsewhere")
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    class Server(_Quiet, ThreadingHTTPServer):
        """Proves who it is, if it can, on the connection's own thread."""

        def finish_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]  # narrower
            with certificate.wrap_socket(request, server_side=True) if certificate else request as connection:
                super().finish_request(connection, client_address)

    with Server(("127.0.0.1", 0), Handler) as server:
        receiver.port = server.server_port
        with _running(server):
            try:
                yield receiver
            finally:
                receiver.may_take.set()


@dataclass
class Mailbox:
    """Keeps the mails that came."""

    port: int = 0
    refuses: bool = False
    got: "queue.Queue[str]" = field(default_factory=queue.Queue)


@contextmanager
def taking_mail(
    security: Literal["none", "starttls", "tls"] = "none", certificate: ssl.SSLContext | None = None
) -> Iterator[Mailbox]:
    """Take mail; with `starttls` and `tls` only over connections that are encrypted, under this certificate."""
    mailbox = Mailbox()

    class Handler(socketserver.StreamRequestHandler):
        def say(self, *lines: str) -> None:
            self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

        def secure(self) -> None:
            assert certificate is not None
            self.request = certificate.wrap_socket(self.request, server_side=True)
            self.setup()

        def finish(self) -> None:
            super().finish()
            self.request.close()

        def handle(self) -> None:
            is_open = security != "starttls"
            if security == "tls":
                self.secure()
            self.say("220 box")
            while line := self.rfile.readline().decode().strip():
                verb = line.split()[0].upper()
                if verb == "EHLO" and security == "starttls":
                    self.say("250-box", "250 STARTTLS")
                elif verb == "STARTTLS":
                    self.say("220 go on")
                    self.secure()
                    is_open = True
                elif verb == "DATA":
                    self.say("354 go on")
                    mailbox.got.put("".join(iter(lambda: self.rfile.readline().decode(), ".\r\n")))
                    self.say("250 yes")
                elif verb == "QUIT":
                    self.say("221 bye")
                    return
                elif verb == "MAIL" and not is_open:
                    self.say("530 not in the open")
                else:
                    self.say("550 nobody" if verb == "RCPT" and mailbox.refuses else "250 yes")

    class Server(_Quiet, socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        mailbox.port = server.server_address[1]
        with _running(server):
            yield mailbox


class _Quiet(socketserver.BaseServer):
    """Says nothing of a client that goes away, as one does that does not trust our certificate."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep silent."""


@contextmanager
def _running(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
