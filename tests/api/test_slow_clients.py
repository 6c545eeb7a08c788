"""Clients that take their time over a request: they are cut off, and nobody else notices."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from appliance.api.connection import MAX_HEAD_BYTES, MIN_BODY_BYTES_PER_S
from appliance.settings import ServerSettings
from tests.api.conftest import PATIENT, Daemon, served
from tests.fakes import accepted, delta, finished

NUM_CLIENTS = 100
READ_TIMEOUT_S = 0.5
STREAM = b'{"messages": [{"role": "user", "content": "Hi"}], "stream": true}'
HI = b'{"messages": [{"role": "user", "content": "Hi"}]}'


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with served(tmp_path, PATIENT, ServerSettings(read_timeout_s=READ_TIMEOUT_S)) as daemon:
        yield daemon


def connect(daemon: Daemon) -> socket.socket:
    parts = urlsplit(daemon.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=10)


def head(path: str, num_body_bytes: int) -> bytes:
    lines = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return f"{lines}content-length: {num_body_bytes}\r\n\r\n".encode()


def trickle(connection: socket.socket, data: bytes) -> None:
    """Send single bytes until the server has had enough."""
    with connection:
        pause = threading.Event()
        for byte in data:
            try:
                connection.send(bytes([byte]))
            except OSError:
                return
            pause.wait(READ_TIMEOUT_S / 4)


def everything(connection: socket.socket) -> bytes:
    """Read until the server closes."""
    received = b""
    try:
        while more := connection.recv(65536):
            received += more
    except ConnectionResetError:  # what the client sent last found nobody
        pass
    return received


def error_of(received: bytes) -> tuple[bytes, str]:
    top, _, body = received.partition(b"\r\n\r\n")
    return top.partition(b"\r\n")[0], json.loads(body)["error"]["message"]


def test_a_hundred_that_trickle_their_headers_disturb_nobody(daemon: Daemon, http: httpx.Client) -> None:
    with ExitStack() as open_connections:
        connections = [open_connections.enter_context(closing(connect(daemon))) for _ in range(NUM_CLIENTS)]
        for connection in connections:
            connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localh")
        assert http.post("/v1/chat/completions", content=HI).status_code == 200
        for connection in connections:
            status, message = error_of(everything(connection))
            assert status == b"HTTP/1.1 408 Request Timeout"
            assert "headers" in message
    assert http.post("/v1/chat/completions", content=HI).status_code == 200


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/tokenize"])
def test_one_that_trickles_its_body_is_told_in_its_dialect(daemon: Daemon, path: str) -> None:
    with closing(connect(daemon)) as connection:
        connection.sendall(head(path, len(HI)))
        trickling = threading.Thread(target=trickle, args=(connection.dup(), HI))
        trickling.start()
        status, message = error_of(everything(connection))
        trickling.join()
    assert status == b"HTTP/1.1 408 Request Timeout"
    assert "body" in message
    assert not daemon.scheduler.requests


def test_one_that_says_nothing_is_left_without_a_word(daemon: Daemon) -> None:
    with closing(connect(daemon)) as connection:
        assert everything(connection) == b""


def test_a_long_body_that_comes_on_may_take_its_time(daemon: Daemon) -> None:
    pause, num_parts = threading.Event(), 6
    part = b" " * int(MIN_BODY_BYTES_PER_S * READ_TIMEOUT_S)
    with closing(connect(daemon)) as connection:
        connection.sendall(head("/v1/chat/completions", num_parts * len(part) + len(HI)))
        for _ in range(num_parts):
            connection.sendall(part)
            pause.wait(READ_TIMEOUT_S / 2)
        connection.sendall(HI)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_an_answer_may_take_longer_than_a_question(daemon: Daemon) -> None:
    daemon.scheduler.script = lambda request: [accepted(request)]
    with closing(connect(daemon)) as connection:
        connection.sendall(head("/v1/chat/completions", len(HI)) + HI + b"POST /v1/comple")
        daemon.next_submitted()
        threading.Event().wait(2 * READ_TIMEOUT_S)  # the time that must not matter
        request = daemon.scheduler.last
        daemon.do(lambda: daemon.scheduler.tell(request, delta(request, "late"), finished(request)))
        received = everything(connection)
    assert received.startswith(b"HTTP/1.1 200")
    assert b"late" in received
    assert b"HTTP/1.1 408" in received  # for the second question, which never came


def test_one_that_takes_nothing_of_its_answer_is_given_up(daemon: Daemon) -> None:
    daemon.scheduler.script = lambda request: [accepted(request), *[delta(request, "x" * 2**20)] * 32]
    connection = connect(daemon)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with closing(connection):
        connection.sendall(head("/v1/chat/completions", len(STREAM)) + STREAM)
        assert daemon.next_submitted() == daemon.next_cancelled()


def test_headers_without_end_are_refused(daemon: Daemon) -> None:
    with closing(connect(daemon)) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nx-long: " + b"x" * MAX_HEAD_BYTES)
        status, _ = error_of(everything(connection))
    assert status == b"HTTP/1.1 431 Request Header Fields Too Large"
