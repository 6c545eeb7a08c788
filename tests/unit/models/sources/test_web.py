"""Short questions to web servers: bounded, and secrets for nobody but the host they belong to."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from models.sources.base import SourceError, SourceUnavailable
from models.sources.web import MAX_REDIRECTS, Web
from tests.hubs.plain import PlainServer

SECRET = {"Authorization": "Bearer geheim", "Cookie": "session=geheim"}


@pytest.fixture
def server() -> Iterator[PlainServer]:
    with PlainServer() as server:
        yield server


def web_of(answer: Callable[[httpx.Request], httpx.Response]) -> Web:
    return Web(transport=httpx.MockTransport(answer))


def test_an_answer_comes_after_all_redirects(server: PlainServer) -> None:
    server.file("c", b"[1]")
    server.redirect("b", "/c", 307)
    answer = Web().get(server.redirect("a", f"{server.url}/b"))
    assert (answer.status, answer.url, answer.json(list[int])) == (200, f"{server.url}/c", [1])


def test_a_secret_stays_with_its_host(server: PlainServer) -> None:
    url = server.redirect("near", server.away("far", b"x"), 301)
    assert Web().get(url, SECRET).body == b"x"
    assert [seen.request.token for seen in server.requests] == ["geheim", "geheim"]
    (away,) = server.storage.requests
    assert "authorization" not in away.request.headers and "cookie" not in away.request.headers


def test_encryption_is_never_left() -> None:
    web = web_of(lambda request: httpx.Response(302, headers={"Location": "http://hub.example/x"}))
    with pytest.raises(SourceError, match="without encryption"):
        web.get("https://hub.example/x")


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://hub.example/x", "gopher://x", "http://[x"])
def test_only_the_web_is_followed(server: PlainServer, target: str) -> None:
    with pytest.raises(SourceError, match="only http and https"):
        Web().get(server.redirect("a", target))


def test_redirects_end(server: PlainServer) -> None:
    with pytest.raises(SourceError, match=f"more than {MAX_REDIRECTS}"):
        Web().get(server.redirect("a", "/a"))
    assert len(server.requests) == MAX_REDIRECTS + 1


def test_no_answer_fills_our_memory(server: PlainServer) -> None:
    url = server.file("large", bytes(5000))
    assert len(Web(max_answer_bytes=5000).get(url).body) == 5000
    with pytest.raises(SourceError, match="more than 4999 bytes"):
        Web(max_answer_bytes=4999).get(url)


def test_what_grows_when_it_is_unpacked_counts_as_it_is_unpacked() -> None:
    import zlib

    packed = zlib.compressobj(wbits=31)
    body = packed.compress(bytes(10**6)) + packed.flush()
    web = Web(
        max_answer_bytes=10_000,
        transport=httpx.MockTransport(
            lambda _: httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=body)
        ),
    )
    assert len(body) < 10_000
    with pytest.raises(SourceError, match="more than 10000 bytes"):
        web.get("https://hub.example/")


def test_an_answer_that_never_ends_is_given_up(server: PlainServer) -> None:
    seconds = iter([0.0, 1.0, 500.0])
    url = server.file("m", bytes(3 * 2**16))
    server.faults.slow(2**18)
    with pytest.raises(SourceUnavailable, match="took too long"):
        Web(now=lambda: next(seconds)).get(url)


def test_what_is_of_another_protocol_is_said_to_be(server: PlainServer) -> None:
    url = server.file("login", b"<html>please log in</html>")
    with pytest.raises(SourceError, match="login in a browser"):
        Web().get(url).json(dict[str, int])


def test_a_server_that_is_not_there_or_speaks_no_encryption(server: PlainServer) -> None:
    with pytest.raises(SourceError, match="speaks no encryption"):
        Web().get(server.url.replace("http:", "https:"))
    gone = PlainServer()
    gone.close()
    with pytest.raises(SourceUnavailable, match="refuses connections"):
        Web().get(gone.url)


def test_a_broken_line_may_be_whole_again_later(server: PlainServer) -> None:
    url = server.file("m", bytes(5000))
    server.faults.drop_every(100)
    with pytest.raises(SourceUnavailable, match=r"connection to .* failed"):
        Web().get(url)
