"""What all hubs of these tests are made of: files in parts, and every fault that a test can ask for."""

import http.client
import os
import threading
from collections.abc import Iterator

import pytest

from tests.hubs.plain import PlainServer
from tests.hubs.server import sha256_of

DATA = os.urandom(100_000)


@pytest.fixture
def server() -> Iterator[PlainServer]:
    with PlainServer() as server:
        server.file("m.gguf", DATA)
        yield server


def ask(
    server: PlainServer, path: str = "/m.gguf", method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def test_a_file_comes_whole_or_in_parts(server: PlainServer) -> None:
    status, headers, body = ask(server)
    assert (status, body, headers["accept-ranges"]) == (200, DATA, "bytes")
    for span, start, end in (("10-19", 10, 20), ("99990-", 99_990, 100_000), ("-5", 99_995, 100_000)):
        status, headers, body = ask(server, Range=f"bytes={span}")
        assert (status, body) == (206, DATA[start:end])
        assert headers["content-range"] == f"bytes {start}-{end - 1}/100000"
    assert ask(server, Range="bytes=100000-")[0] == 416
    assert ask(server, method="HEAD")[1]["content-length"] == "100000"


def test_a_part_is_only_sent_of_the_same_content(server: PlainServer) -> None:
    etag = ask(server)[1]["etag"]
    assert ask(server, Range="bytes=1-", If_Range=etag)[0] == 206
    assert ask(server, Range="bytes=1-", If_Range='"other"')[0] == 200


def test_the_line_breaks_every_so_many_bytes(server: PlainServer) -> None:
    server.faults.drop_every(30_000)
    got = b""
    while len(got) < len(DATA):
        try:
            got += ask(server, Range=f"bytes={len(got)}-")[2]
        except http.client.IncompleteRead as error:
            assert len(error.partial) == 30_000
            got += error.partial
    assert got == DATA and len(server.requests) == 4


def test_a_wrong_bit_a_short_file_and_a_server_without_ranges(server: PlainServer) -> None:
    server.faults.corrupt("m.gguf")
    body = ask(server)[2]
    assert sum(a != b for a, b in zip(body, DATA, strict=True)) == 1
    parts = ask(server, Range="bytes=0-49999")[2] + ask(server, Range="bytes=50000-")[2]
    assert parts == body  # the same bit, however it is asked for
    server.faults.mend().truncate(500)
    assert ask(server)[::2] == (200, DATA[:500])
    server.faults.mend().without_ranges()
    assert ask(server, Range="bytes=10-")[::2] == (200, DATA)


def test_content_changes_between_two_requests(server: PlainServer) -> None:
    server.faults.change_after(1, b"other")
    first, second = ask(server), ask(server)
    assert (first[2], second[2]) == (DATA, b"other")
    assert first[1]["etag"] != second[1]["etag"]


def test_requests_are_refused_as_often_as_was_said(server: PlainServer) -> None:
    server.faults.refuse(429, path="m.gguf", times=2, retry_after_s=3)
    assert [ask(server)[0] for _ in range(3)] == [429, 429, 200]
    server.faults.refuse(503, method="HEAD")
    assert ask(server, method="HEAD")[0] == 503 and ask(server)[0] == 200


def test_a_client_is_held_in_the_middle_until_it_is_released(server: PlainServer) -> None:
    server.faults.hold_after(60_000)
    got: list[bytes] = []
    client = threading.Thread(target=lambda: got.append(ask(server)[2]))
    client.start()
    server.faults.wait_until_held()
    assert got == []
    server.faults.release()
    client.join()
    assert got == [DATA]


def test_a_server_that_closes_breaks_the_lines_of_those_who_wait() -> None:
    server = PlainServer()
    server.file("m.gguf", DATA)
    server.faults.hold_after(60_000)
    failed: list[BaseException] = []

    def client() -> None:
        try:
            ask(server)
        except (http.client.HTTPException, OSError) as error:
            failed.append(error)

    thread = threading.Thread(target=client)
    thread.start()
    server.faults.wait_until_held()
    server.close()
    thread.join()
    assert len(failed) <= 1  # the rest may just have been sent


def test_the_storage_takes_a_signature_and_no_token(server: PlainServer) -> None:
    server.away("away.gguf", DATA)
    location = ask(server, "/away.gguf")[1]["location"]
    assert location.startswith(server.storage.url)
    path = location.removeprefix(server.storage.url)
    connection = http.client.HTTPConnection(server.storage.host, server.storage.port, timeout=20)
    statuses = []
    for asked, headers in ((path, {}), (path.partition("?")[0], {}), (path, {"Authorization": "Bearer x"})):
        connection.request("GET", asked, headers=headers)
        response = connection.getresponse()
        statuses.append((response.status, response.read() == DATA))
    connection.close()
    assert statuses == [(200, True), (403, False), (400, False)]


def test_a_digest_lies_beside_a_file(server: PlainServer) -> None:
    server.sidecar("m.gguf", DATA)
    assert ask(server, "/m.gguf.sha256")[2] == f"{sha256_of(DATA)}  m.gguf\n".encode()
