"""What no client should send, in every dialect: it is told so in the words of its dialect, and the next is served."""

import contextlib
import json
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from appliance.core.request import EncodeRequest
from appliance.dialects.decode import MAX_DEPTH
from tests.api.conftest import PATIENT, Daemon, served
from tests.fakes import accepted, delta, two_words

HI = [{"role": "user", "content": "Hi"}]
CALLS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": HI},
    "/v1/completions": {"prompt": "Hi"},
    "/v1/responses": {"input": "Hi"},
    "/v1/messages": {"messages": HI, "max_tokens": 16},
    "/api/chat": {"messages": HI, "model": "guide"},
    "/api/generate": {"prompt": "Hi", "model": "guide"},
    "/tokenize": {"content": "Hi"},
    "/apply-template": {"messages": HI},
}
NUM_CLIENTS = 64


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One daemon for all: what went wrong before must not matter."""
    with served(tmp_path_factory.mktemp("home"), PATIENT) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def http(daemon: Daemon) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=daemon.url, trust_env=False, timeout=20) as client:
        yield client


def openai_error(body: Any) -> str:
    assert set(body["error"]) == {"message", "type", "param", "code"}
    return str(body["error"]["message"])


def anthropic_error(body: Any) -> str:
    assert (body["type"], body["error"]["type"]) in [
        ("error", kind) for kind in ("invalid_request_error", "not_found_error", "request_too_large")
    ]
    return str(body["error"]["message"])


def ollama_error(body: Any) -> str:
    assert set(body) == {"error"}
    return str(body["error"])


def error_in(path: str) -> Callable[[Any], str]:
    return anthropic_error if path == "/v1/messages" else ollama_error if path.startswith("/api/") else openai_error


def refused(http: httpx.Client, path: str, content: bytes, *statuses: int) -> str:
    """Send what must be refused; return what is said to that, after the next request was served."""
    response = http.post(path, content=content, headers={"content-type": "application/json"})
    assert response.status_code in statuses, response.text
    message = error_in(path)(response.json())
    assert message
    assert http.post(path, json=CALLS[path]).status_code == 200
    return message


def with_field(path: str, name: str, value: str) -> bytes:
    """Return the path's own body with one more field, whose value is written as it is."""
    return json.dumps(CALLS[path])[:-1].encode() + f', "{name}": {value}}}'.encode()


@pytest.mark.parametrize("path", CALLS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"{'a': 1}",
        b"\xff\xfe{}",
        b'{"model": "\xc3\x28"}',
        b'{"a": 1}}',
        b"\0" * 9,
    ],
    ids=repr,
)
def test_what_is_not_a_json_object(http: httpx.Client, path: str, body: bytes) -> None:
    refused(http, path, body, 400)


@pytest.mark.parametrize("path", CALLS)
@pytest.mark.parametrize("num_levels", [MAX_DEPTH, 900, 10_000])
def test_levels_without_end(http: httpx.Client, path: str, num_levels: int) -> None:
    for nested in ("[" * num_levels + "]" * num_levels, '{"a":' * num_levels + "1" + "}" * num_levels):
        assert "too deep" in refused(http, path, with_field(path, "nobody_knows_this", nested), 400)


@pytest.mark.parametrize("path", CALLS)
def test_ten_megabytes(http: httpx.Client, path: str) -> None:
    assert "server.max_body_bytes" in refused(http, path, b" " * 10_000_000, 413)


@pytest.mark.parametrize("path", [path for path in CALLS if path != "/tokenize"])
@pytest.mark.parametrize("number", ["-1e400", "9" * 400, "-1.5", "NaN", "[]"])
def test_numbers_that_no_temperature_has(http: httpx.Client, path: str, number: str) -> None:
    body = with_field(path, "temperature", number)
    if path.startswith("/api/"):
        body = with_field(path, "options", f'{{"temperature": {number}}}')
    refused(http, path, body, 400)


@pytest.mark.parametrize("path", CALLS)
@pytest.mark.parametrize(
    "model", ["nobody", "../../etc/passwd", "/etc/passwd", "a\0b", "guide/../../x", "@", "x" * 5000]
)
def test_models_that_do_not_exist(http: httpx.Client, path: str, model: str) -> None:
    refused(http, path, json.dumps({**CALLS[path], "model": model}).encode(), 404, 400)


@pytest.mark.parametrize("model", [5, [], {}, True, 1e300])
@pytest.mark.parametrize("path", CALLS)
def test_models_that_are_no_text(http: httpx.Client, path: str, model: Any) -> None:
    refused(http, path, json.dumps({**CALLS[path], "model": model}).encode(), 400)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/../../etc/passwd",
        "/v1/models/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/v1/models/..%00",
        "/admin/v1/models/%2Fetc%2Fpasswd",
        "/v1/responses/..%2f..%2fstate.db",
        "/v1/conversations/%00",
        "/api/blobs/sha256:..%2f..%2fkeys",
        "/v1/models/%ff%fe",
    ],
)
def test_paths_that_lead_out_lead_nowhere(daemon: Daemon, http: httpx.Client, path: str) -> None:
    received = said(daemon, f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
    assert received.split()[1] in (b"404", b"400")
    assert b"root:" not in received
    assert http.get("/health").status_code == 200


# Clients that hang up


def test_sixty_four_clients_that_hang_up_whenever_they_like(daemon: Daemon, http: httpx.Client) -> None:
    daemon.scheduler.script = endless
    daemon.scheduler.requests.clear()
    chance = random.Random(6)
    rudeness = [(path, chance.random(), chance.choice(RUDE)) for path in chance.choices([*CALLS], k=NUM_CLIENTS)]
    with ThreadPoolExecutor(NUM_CLIENTS) as clients:
        list(clients.map(lambda each: each[2](daemon, each[0], each[1]), rudeness))
    daemon.scheduler.script = two_words
    for path, body in CALLS.items():
        assert http.post(path, json=body).status_code == 200
    num_begun = len(daemon.scheduler.requests)
    pause = threading.Event()
    for _ in range(100):  # the last of them may not have been noticed yet
        if all(daemon.do(lambda: [inbox.is_closed for inbox in daemon.scheduler.inboxes.values()])):
            break
        pause.wait(0.1)
    assert all(inbox.is_closed for inbox in daemon.scheduler.inboxes.values())
    assert num_begun > len(CALLS)


def endless(request: Any) -> list[Any]:
    """An answer that begins and never ends by itself."""
    return [accepted(request)] if isinstance(request, EncodeRequest) else [accepted(request), delta(request, "Hello")]


def within_the_request(daemon: Daemon, path: str, chance: float) -> None:
    whole = call(path, stream=True)
    with closing(connect(daemon)) as connection:
        connection.sendall(whole[: int(chance * len(whole))])


def after_the_request(daemon: Daemon, path: str, chance: float) -> None:
    with closing(connect(daemon)) as connection:
        connection.sendall(call(path, stream=chance < 0.5))


def with_a_reset(daemon: Daemon, path: str, chance: float) -> None:
    connection = connect(daemon)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.sendall(call(path, stream=chance < 0.5))
    connection.close()


def within_the_answer(daemon: Daemon, path: str, chance: float) -> None:
    with closing(connect(daemon)) as connection:
        connection.sendall(call(path, stream=True))
        connection.recv(1 + int(chance * 500))


def half_closed(daemon: Daemon, path: str, chance: float) -> None:
    with closing(connect(daemon)) as connection:
        connection.sendall(call(path, stream=True))
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
            connection.recv(int(chance * 100) + 1)


RUDE = [within_the_request, after_the_request, with_a_reset, within_the_answer, half_closed]


def connect(daemon: Daemon) -> socket.socket:
    parts = urlsplit(daemon.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=20)


def call(path: str, *, stream: bool) -> bytes:
    body = json.dumps({**CALLS[path], "stream": stream}).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def said(daemon: Daemon, request: bytes) -> bytes:
    received = b""
    with closing(connect(daemon)) as connection:
        connection.sendall(request)
        while more := connection.recv(65536):
            received += more
    return received
