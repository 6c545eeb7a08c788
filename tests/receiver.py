"""Those who are told: a receiver of webhooks and of ntfy, and a server that takes e-mail, on this machine."""

import queue
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Receiver:
    """Answers with each of `statuses` once, then with 204, and keeps what came."""

    port: int = 0
    statuses: list[int] = field(default_factory=list)
    got: "queue.Queue[tuple[str, dict[str, str], bytes]]" = field(default_factory=queue.Queue)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def next(self) -> tuple[str, dict[str, str], bytes]:
        """Return path, headers and body of the next request; wait for it."""
        return self.got.get(timeout=30)


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = receiver.statuses.pop(0) if receiver.statuses else 204
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", f"{receiver.url}/elsewhere")
            self.end_headers()
            receiver.got.put((self.path, {name.lower(): value for name, value in self.headers.items()}, body))

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.port = server.server_port
        with _running(server):
            yield receiver


@dataclass
class Mailbox:
    """Keeps the mails that came."""

    port: int = 0
    refuses: bool = False
    got: "queue.Queue[str]" = field(default_factory=queue.Queue)


@contextmanager
def taking_mail() -> Iterator[Mailbox]:
    mailbox = Mailbox()

    class Handler(socketserver.StreamRequestHandler):
        def say(self, text: str) -> None:
            self.wfile.write(text.encode() + b"\r\n")

        def handle(self) -> None:
            self.say("220 box")
            while line := self.rfile.readline().decode().strip():
                verb = line.split()[0].upper()
                if verb == "DATA":
                    self.say("354 go on")
                    mailbox.got.put("".join(iter(lambda: self.rfile.readline().decode(), ".\r\n")))
                if verb == "QUIT":
                    self.say("221 bye")
                    return
                self.say("550 nobody" if verb == "RCPT" and mailbox.refuses else "250 yes")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        mailbox.port = server.server_address[1]
        with _running(server):
            yield mailbox


@contextmanager
def _running(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
