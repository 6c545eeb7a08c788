"""A file behind an address that moves: where it was found is remembered, until its time there is over."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from models.fetch.connections import Connections
from models.fetch.http_file import HttpFile
from models.sources.base import SourceError
from tests.hubs.plain import PlainServer


@pytest.fixture
def connections() -> Iterator[Connections]:
    connections = Connections(5, 5)
    yield connections
    connections.close()


def read(remote: HttpFile, start: int, end: int) -> bytes:
    with remote.open(start, end, None) as answer:
        return b"".join(answer.chunks)


def test_an_address_that_was_signed_for_a_while_is_asked_for_anew_once_that_is_over(
    server: PlainServer, connections: Connections
) -> None:
    server.file("old", b"abcdef")
    remote = HttpFile(connections, server.redirect("model.gguf", "/old"), lambda url: {})
    assert [read(remote, 0, 2), read(remote, 2, 4)] == [b"ab", b"cd"]
    assert len(server.asked("model.gguf")) == 1
    server.faults.refuse(403, path="/old")
    server.file("new", b"abcdef")
    server.redirect("model.gguf", "/new")
    assert read(remote, 4, 6) == b"ef"
    server.faults.refuse(403, path="/new")
    with pytest.raises(SourceError, match="answers 403"):
        read(remote, 0, 2)


@pytest.mark.parametrize("header", ["bytes 1-2/6", "bytes */6", "", "items 0-1/6"])
def test_other_bytes_than_were_asked_for_are_refused(
    server: PlainServer, connections: Connections, header: str
) -> None:
    server.faults.without_ranges()
    url = server.file("model.gguf", b"abcdef")
    wrong = replace(server._answers["/model.gguf"], status=206, headers={"Content-Range": header})
    server._answers["/model.gguf"] = wrong
    with pytest.raises(SourceError, match="sends other bytes of the file than it was asked for"):
        read(HttpFile(connections, url, lambda url: {}), 0, 2)


def test_a_file_in_another_form_than_it_has_is_refused(server: PlainServer, connections: Connections) -> None:
    url = server.file("model.gguf", b"abcdef", Content_Encoding="gzip")
    with pytest.raises(SourceError, match="in another form than it has"):
        read(HttpFile(connections, url, lambda url: {}), 0, 2)


@pytest.mark.parametrize("url", ["ftp://a.example/x", "http:///x", "file:///etc/passwd", "x"])
def test_what_is_no_web_address_is_refused(connections: Connections, url: str) -> None:
    with pytest.raises(SourceError, match="is no web address"):
        HttpFile(connections, url, lambda url: {})
