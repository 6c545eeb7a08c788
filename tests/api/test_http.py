"""HTTP itself: envelopes for everything, ids, limits, pipelining, keep-alive, and clients that go away."""

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from appliance.api.server import bind
from appliance.api.sse import StreamTiming
from appliance.errors import BackendError
from tests.api.conftest import Daemon
from tests.fakes import accepted, delta, finished

HI = {"messages": [{"role": "user", "content": "Hi"}]}


@contextmanager
def connected(daemon: Daemon) -> Iterator[socket.socket]:
    parts = urlsplit(daemon.url)
    with closing(socket.create_connection((parts.hostname, parts.port), timeout=10)) as connection:
        yield connection


def request_bytes(path: str, body: object = None) -> bytes:
    payload = b"" if body is None else json.dumps(body).encode()
    method = b"GET" if body is None else b"POST"
    head = b"%b %b HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % (method, path.encode(), len(payload)) + payload


def read_until(connection: socket.socket, pattern: bytes) -> bytes:
    received = b""
    while not re.search(pattern, received, re.DOTALL):
        more = connection.recv(65536)
        assert more, received
        received += more
    return received


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/models/nowhere", 404),
        ("GET", "/v1/models/un/known:tag@Q4_K_M", 404),
        ("GET", "/v1/chat/completions", 405),
        ("PUT", "/v1/models", 405),
        ("DELETE", "/admin/v1/models/nowhere", 404),
        ("DELETE", "/admin/v1/keys/nobody", 404),
    ],
)
def test_every_error_has_the_envelope(http: httpx.Client, method: str, path: str, status: int) -> None:
    response = http.request(method, path)
    assert response.status_code == status
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}
    assert response.headers["x-request-id"]


def test_a_method_that_is_not_offered_says_which_are(http: httpx.Client) -> None:
    assert "POST" in http.get("/v1/completions").headers["allow"]


def test_head_is_answered_like_get_without_a_body(http: httpx.Client) -> None:
    response = http.head("/health")
    assert (response.status_code, response.content) == (200, b"")


def test_a_sane_request_id_is_kept_and_another_replaced(http: httpx.Client) -> None:
    assert http.get("/health", headers={"x-request-id": "abc-1.2:3_X"}).headers["x-request-id"] == "abc-1.2:3_X"
    for given in ("", "a b", "x" * 129, "<script>"):
        found = http.get("/health", headers={"x-request-id": given}).headers["x-request-id"]
        assert found.startswith("req-")


def test_every_answer_carries_the_date(http: httpx.Client) -> None:
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", http.get("/health").headers["date"])


def test_a_body_that_is_not_json_by_its_type_is_refused(http: httpx.Client) -> None:
    response = http.post("/v1/chat/completions", content=b"{}", headers={"content-type": "text/plain"})
    assert (response.status_code, response.json()["error"]["code"]) == (415, "unsupported_media_type")
    utf8 = {"content-type": "application/json; charset=utf-8"}
    assert http.post("/v1/chat/completions", content=json.dumps(HI), headers=utf8).status_code == 200


def test_a_body_that_is_too_long_is_refused_announced_or_not(http: httpx.Client) -> None:
    large = json.dumps({"messages": [{"role": "user", "content": "x" * 100_001}]}).encode()
    for content in (large, iter([large[:50_000], large[50_000:]])):
        response = http.post("/v1/chat/completions", content=content, headers={"content-type": "application/json"})
        assert (response.status_code, response.json()["error"]["code"]) == (413, "body_too_large")
    assert http.get("/health").status_code == 200


def test_what_nobody_foresaw_is_a_500_with_its_cause_in_the_log_only(
    http: httpx.Client, daemon: Daemon, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(_: object) -> list[object]:
        raise RuntimeError("a secret detail")

    daemon.scheduler.script = break_down
    response = http.post("/v1/chat/completions", json=HI)
    assert (response.status_code, response.json()["error"]["type"]) == (500, "server_error")
    assert "secret" not in response.text
    assert response.headers["x-request-id"] in caplog.text
    assert "a secret detail" in caplog.text


def test_what_is_not_http_is_answered_in_the_envelope(daemon: Daemon) -> None:
    with connected(daemon) as connection:
        connection.sendall(b"this is not HTTP\r\n\r\n")
        received = read_until(connection, rb"\}\}")
    assert received.startswith(b"HTTP/1.1 400")
    assert json.loads(received.partition(b"\r\n\r\n")[2])["error"]["type"] == "invalid_request_error"


def test_requests_in_one_write_are_answered_in_order(daemon: Daemon) -> None:
    with connected(daemon) as connection:
        connection.sendall(request_bytes("/v1/chat/completions", HI) + request_bytes("/health"))
        received = read_until(connection, rb'HTTP/1.1 200.*HTTP/1.1 200.*"ok"\}')
    assert received.index(b"wo" if b"wo" in received else b"chat.completion") < received.index(b'"ok"')


def test_a_connection_is_kept_for_the_next_request(daemon: Daemon) -> None:
    with connected(daemon) as connection:
        for _ in range(3):
            connection.sendall(request_bytes("/health"))
            read_until(connection, rb'"ok"\}')


def test_a_client_that_asks_before_it_sends_its_body_is_told_to_go_on(daemon: Daemon) -> None:
    whole = request_bytes("/v1/chat/completions", HI)
    head, _, body = whole.partition(b"\r\n\r\n")
    with connected(daemon) as connection:
        connection.sendall(head + b"\r\nexpect: 100-continue\r\n\r\n")
        assert read_until(connection, rb"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert read_until(connection, rb"w\\u00f6rld|w.+rld").startswith(b"HTTP/1.1 200")


def test_a_body_too_long_to_begin_with_is_refused_before_it_is_sent(daemon: Daemon) -> None:
    with connected(daemon) as connection:
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        connection.sendall(head + b"content-length: 99999999\r\nexpect: 100-continue\r\n\r\n")
        assert read_until(connection, rb"body_too_large").startswith(b"HTTP/1.1 413")


def test_a_body_may_come_in_chunks_and_the_connection_goes_on(daemon: Daemon) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    body = json.dumps(HI).encode()
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:]))
    with connected(daemon) as connection:
        for _ in range(2):
            connection.sendall(head + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
            assert read_until(connection, rb"chat.completion").startswith(b"HTTP/1.1 200")


def test_chunks_that_are_none_are_refused(daemon: Daemon) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
    with connected(daemon) as connection:
        connection.sendall(head + b"zz\r\n")
        assert read_until(connection, rb"\}\}").startswith(b"HTTP/1.1 400")
    assert not daemon.scheduler.requests


@pytest.mark.parametrize("path", ["/health", "/v1/models", "/v1/models/guide", "/schema", "/api/tags"])
def test_head_says_what_get_says_without_its_body(http: httpx.Client, path: str) -> None:
    head, whole = http.head(path), http.get(path)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert head.headers["content-type"] == whole.headers["content-type"]
    assert head.headers["content-length"] == whole.headers["content-length"]


def test_no_proxy_may_hold_a_stream_back(http: httpx.Client) -> None:
    headers = http.post("/v1/chat/completions", json=HI | {"stream": True}).headers
    assert (headers["x-accel-buffering"], headers["cache-control"]) == ("no", "no-cache")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("has_begun", [False, True])
def test_a_client_that_goes_away_frees_its_place(daemon: Daemon, stream: bool, has_begun: bool) -> None:
    daemon.scheduler.script = lambda r: [accepted(r), *([delta(r, "Hello")] if has_begun else [])]
    with connected(daemon) as connection:
        connection.sendall(request_bytes("/v1/chat/completions", HI | {"stream": stream}))
        if stream and has_begun:
            read_until(connection, b"Hello")
        request_id = daemon.next_submitted()
    assert daemon.next_cancelled() == request_id


def test_a_client_that_goes_away_with_a_request_in_the_pipeline_frees_its_place(daemon: Daemon) -> None:
    daemon.scheduler.script = lambda r: [delta(r, "Hello")]
    with connected(daemon) as connection:
        connection.sendall(request_bytes("/v1/chat/completions", HI | {"stream": True}) + request_bytes("/health"))
        read_until(connection, b"Hello")
    assert daemon.next_cancelled() == daemon.scheduler.last.id


def test_a_call_with_many_prompts_frees_all_of_them(daemon: Daemon) -> None:
    daemon.scheduler.script = lambda r: [accepted(r)]
    with connected(daemon) as connection:
        connection.sendall(request_bytes("/v1/completions", {"prompt": ["a", "b"], "stream": True}))
        submitted = {daemon.next_submitted(), daemon.next_submitted()}
    assert {daemon.next_cancelled(), daemon.next_cancelled()} == submitted


class TestKeepAlive:
    @pytest.fixture
    def timing(self) -> StreamTiming:
        return StreamTiming(headers_after_s=0.01, comment_every_s=0.01)

    def test_comments_come_while_the_first_token_is_awaited(self, daemon: Daemon) -> None:
        daemon.scheduler.script = lambda r: [accepted(r)]
        with connected(daemon) as connection:
            connection.sendall(request_bytes("/v1/chat/completions", HI | {"stream": True}))
            received = read_until(connection, rb"(: keep-alive\n\n.*){3}")
            assert received.startswith(b"HTTP/1.1 200")
            request = daemon.scheduler.last
            daemon.do(lambda: daemon.scheduler.tell(request, delta(request, "Hello"), finished(request)))
            assert b"Hello" in read_until(connection, rb"\[DONE\]")

    def test_an_error_after_the_headers_is_an_event(self, daemon: Daemon) -> None:
        daemon.scheduler.script = lambda r: [accepted(r)]
        with connected(daemon) as connection:
            connection.sendall(request_bytes("/v1/chat/completions", HI | {"stream": True}))
            read_until(connection, b": keep-alive")
            request = daemon.scheduler.last
            daemon.do(lambda: daemon.scheduler.tell(request, BackendError("the worker died")))
            received = read_until(connection, rb"0\r\n\r\n$")
        assert b'data: {"error":{"message":"the worker died"' in received
        assert b"[DONE]" not in received


def test_a_body_does_not_wait_until_its_headers_are_confirmed_on_any_event_loop() -> None:
    async def is_sent_at_once() -> bool:
        connected_to: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
        listener = bind("127.0.0.1", 0)
        async with await asyncio.start_server(lambda _, writer: connected_to.set_result(writer), sock=listener):
            _, client = await asyncio.open_connection(*listener.getsockname())
            server = await connected_to
            at_once = server.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            for side in (client, server):
                side.close()
                await side.wait_closed()
        return bool(at_once)

    assert asyncio.run(is_sent_at_once())
