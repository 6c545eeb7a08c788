"""Connections: kept while they are good, made anew when they are not, and through the proxy that is named."""

import base64
from collections.abc import Iterator

import pytest

from models.fetch.connections import Connections
from tests.hubs.plain import PlainServer
from tests.hubs.server import Answer, LocalServer, Request


class Proxy(LocalServer):
    """Answers for everybody, and remembers in `paths` whom it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.headers: dict[str, str] = {}

    def answer(self, request: Request) -> Answer:
        self.headers = request.headers
        return Answer(body=b"through the proxy")


@pytest.fixture
def connections() -> Iterator[Connections]:
    connections = Connections(5, 5)
    yield connections
    connections.close()


def read(connections: Connections, url: str, *, is_read: bool = True) -> bytes:
    exchange = connections.get(url, {})
    body = exchange.response.read() if is_read else b""
    exchange.close(is_read=is_read)
    return body


def test_a_connection_is_used_again_once_its_answer_was_read(
    server: PlainServer, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    monkeypatch.setattr(server, "connected", made.append)
    url = server.file("a", b"abc")
    assert [read(connections, url) for _ in range(3)] == [b"abc"] * 3
    assert len(made) == 1
    read(connections, url, is_read=False)
    assert read(connections, url) == b"abc"
    assert len(made) == 2


def test_a_connection_that_the_server_let_go_of_meanwhile_is_made_anew(
    server: PlainServer, connections: Connections
) -> None:
    url = server.file("a", b"abc")
    read(connections, url)
    for line in list(server._connections):
        line.shutdown(2)
    assert read(connections, url) == b"abc"


def test_the_proxy_of_the_environment_is_asked_unless_it_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//me:a%20b@"))
        monkeypatch.setenv("no_proxy", "inside.example")
        monkeypatch.delenv("NO_PROXY", raising=False)
        connections = Connections(5, 5)
        assert read(connections, "http://outside.example/model.gguf?x=1") == b"through the proxy"
        assert proxy.headers["host"] == "outside.example"
        assert proxy.headers["proxy-authorization"] == "Basic " + base64.b64encode(b"me:a b").decode()
        with pytest.raises(OSError):
            connections.get("http://inside.example:1/", {})
        connections.close()
