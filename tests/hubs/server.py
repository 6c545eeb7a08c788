"""A small HTTP/1.1 server in threads, which the hubs of these tests are made of: files with ranges, ETags, faults."""

import hashlib
import json
import os
import re
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.hubs.faults import Faults

CHUNK_BYTES = 2**18
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True)
class Request:
    """What a client asked for; header names are lower case, `path` is decoded and has no query."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]

    @property
    def token(self) -> str | None:
        """Return the bearer token that came along."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" else None


@dataclass(frozen=True)
class Seen:
    """A request that was answered, for tests to look at."""

    request: Request
    status: int

    @property
    def range(self) -> str | None:
        return self.request.headers.get("range")


@dataclass(frozen=True)
class Content:
    """The bytes of a file, in memory or on disk."""

    data: bytes | Path
    etag: str = ""
    type: str = "application/octet-stream"

    @property
    def size_bytes(self) -> int:
        return self.data.stat().st_size if isinstance(self.data, Path) else len(self.data)

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes of `[start, end)`."""
        if isinstance(self.data, bytes):
            return self.data[start:end]
        with self.data.open("rb") as stream:
            return os.pread(stream.fileno(), end - start, start)


@dataclass(frozen=True)
class Answer:
    """What goes back: a short body, or a file that can be asked for in parts."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    content: Content | None = None


def json_answer(value: Any, status: int = 200, **headers: str) -> Answer:
    """Return a JSON answer; underscores in the names of headers stand for hyphens."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, {"Content-Type": "application/json; charset=utf-8", **named}, json.dumps(value).encode())


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class LocalServer:
    """A server on a free port of this machine. Subclasses answer; what was asked stands in `requests`."""

    def __init__(self, host: str = "127.0.0.1", faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.requests: list[Seen] = []
        self.errors: list[BaseException] = []
        self._closing = threading.Event()
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._server = _Server((host, 0), self)
        self.host, self.port = host, self._server.server_address[1]
        self.url = f"http://{host}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name=f"hub-{self.port}")
        self._thread.start()

    def answer(self, request: Request) -> Answer:
        """Return the answer to a request that no fault has refused."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop at once; whoever is in the middle of a file loses the line."""
        self._closing.set()
        self.faults.release()
        self._server.shutdown()
        self._thread.join()
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):  # a line that is broken already
                    connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()
        assert not self.errors, self.errors

    def asked(self, part_of_path: str = "", method: str | None = None) -> list[Seen]:
        """Return the requests whose path contains this."""
        with self._lock:
            return [
                seen
                for seen in self.requests
                if part_of_path in seen.request.path and method in (None, seen.request.method)
            ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def note(self, request: Request, status: int) -> None:
        """Keep what was asked and how it was answered."""
        with self._lock:
            self.requests.append(Seen(request, status))

    def pause(self, seconds: float) -> None:
        """Wait, but not for longer than this server lives."""
        self._closing.wait(seconds)

    def connected(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.add(connection)

    def disconnected(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.discard(connection)


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], owner: LocalServer) -> None:
        self.owner = owner
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, OSError):
            self.owner.errors.append(error)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 0

    def setup(self) -> None:
        super().setup()
        self.server.owner.connected(self.connection)

    def finish(self) -> None:
        self.server.owner.disconnected(self.connection)
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: tests look at `requests`."""

    def do_GET(self) -> None:
        owner, parts = self.server.owner, urlsplit(self.path)
        request = Request(
            self.command,
            unquote(parts.path),
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            {name.lower(): value for name, value in self.headers.items()},
        )
        refusal = owner.faults.refusal_of(request.method, request.path)
        refused = Answer(refusal.status, refusal.headers, refusal.body) if refusal else None
        answer = refused or owner.answer(request)
        if answer.content is None:
            owner.note(request, answer.status)
            self._send_head(answer.status, answer.headers, len(answer.body))
            if request.method != "HEAD":
                self.wfile.write(answer.body)
        else:
            self._send_content(request, answer, answer.content)

    do_HEAD = do_GET  # noqa: N815  http.server calls it so

    def _send_head(self, status: int, headers: dict[str, str], length: int) -> None:
        self.send_response_only(status)
        given = {name.lower() for name in headers}
        for name, value in {"Date": formatdate(usegmt=True), "Content-Length": str(length)}.items():
            if name.lower() not in given:
                self.send_header(name, value)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_content(self, request: Request, answer: Answer, content: Content) -> None:
        owner = self.server.owner
        faults = owner.faults
        if request.method == "GET" and faults.has_changed():
            content = Content(faults.changed_data, f'"{sha256_of(faults.changed_data)}"')
        size = content.size_bytes
        if faults.truncated_bytes is not None:
            size = min(size, faults.truncated_bytes)
        headers = {"Content-Type": content.type, **answer.headers}
        if content.etag:
            headers.setdefault("ETag", content.etag)
        if faults.ranges:
            headers.setdefault("Accept-Ranges", "bytes")
        span = _span(request, content, size) if faults.ranges else (0, size)
        if span is None:
            owner.note(request, 416)
            self._send_head(416, {"Content-Range": f"bytes */{size}"}, 0)
            return
        start, end = span
        is_part = faults.ranges and "range" in request.headers and _may_be_part(request, content)
        status = 206 if is_part else answer.status
        if is_part:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        owner.note(request, status)
        self._send_head(status, headers, end - start)
        if request.method != "HEAD":
            is_wrong = faults.corrupted is not None and faults.corrupted in request.path
            self._send_bytes(content, start, end, size // 2 if is_wrong else None)

    def _send_bytes(self, content: Content, start: int, end: int, wrong_at: int | None) -> None:
        owner = self.server.owner
        faults, drop = owner.faults, owner.faults.take_drop()
        position = start
        while position < end:
            sent = position - start
            if faults.hold_bytes is not None and sent >= faults.hold_bytes:
                faults.hold()
            if drop is not None and sent >= drop:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            stops = [stop - sent for stop in (drop, faults.hold_bytes) if stop is not None and stop > sent]
            speed = faults.bytes_per_s
            chunk = min(CHUNK_BYTES, end - position, *stops, max(1, speed // 20) if speed else CHUNK_BYTES)
            data = content.read(position, position + chunk)
            if wrong_at is not None and position <= wrong_at < position + chunk:
                at = wrong_at - position
                data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            self.connection.sendall(data)
            position += chunk
            if speed:
                owner.pause(chunk / speed)


def _may_be_part(request: Request, content: Content) -> bool:
    """A part is only sent of the content that the client has the rest of."""
    condition = request.headers.get("if-range")
    return condition is None or condition == content.etag


def _span(request: Request, content: Content, size: int) -> tuple[int, int] | None:
    """Return the half-open range of bytes to send, None for one that lies outside."""
    match = _RANGE.fullmatch(request.headers.get("range", ""))
    if match is None or not any(match.groups()) or not _may_be_part(request, content):
        return 0, size
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size
    start, end = int(first), min(size, int(last) + 1) if last else size
    return (start, end) if start < end else None


class Storage(LocalServer):
    """Where a hub keeps its large files: another address, which takes signed URLs and no tokens.

    As with the stores behind real hubs, a request that carries a token beside the signature is refused.
    """

    def __init__(self, faults: Faults) -> None:
        super().__init__(faults=faults)
        self._files: dict[str, Content] = {}

    def keep(self, key: str, content: Content) -> str:
        """Return the signed URL under which the content is served."""
        self._files[key] = content
        return f"{self.url}/{key}?X-Signature={sha256_of(key.encode())[:16]}"

    def answer(self, request: Request) -> Answer:
        key = request.path.removeprefix("/")
        content = self._files.get(key)
        if content is None:
            return Answer(404, body=b"<Error><Code>NoSuchKey</Code></Error>")
        if request.query.get("X-Signature") != sha256_of(key.encode())[:16]:
            return Answer(403, body=b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        if "authorization" in request.headers:
            return Answer(400, body=b"<Error><Code>InvalidArgument</Code></Error>")
        return Answer(content=content)
