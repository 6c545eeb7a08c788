"""A model behind the address of its file."""

import hashlib
import os
from collections.abc import Iterator

import pytest

from models.sources.base import SourceError, SourceUnavailable
from models.sources.http import HttpSource
from tests.hubs.plain import PlainServer

DATA = os.urandom(30_000)
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def server() -> Iterator[PlainServer]:
    with PlainServer() as server:
        yield server


def test_a_file_is_described_without_being_fetched(server: PlainServer) -> None:
    url = server.file("a/Tiny-Q4_K_M.gguf", DATA)
    model = HttpSource().resolve(url)
    (file,) = model.files
    assert (file.name, file.url, file.size_bytes, file.sha256) == ("Tiny-Q4_K_M.gguf", url, len(DATA), None)
    assert (model.kind, model.reference, model.stem) == ("http", url, "Tiny-Q4_K_M")
    assert [seen.request.method for seen in server.asked("gguf") if seen.status == 200] == ["HEAD"]


def test_a_digest_in_the_address_is_taken_at_its_word(server: PlainServer) -> None:
    url = server.file("m.gguf", DATA)
    server.sidecar("m.gguf", b"something else")
    model = HttpSource().resolve(f"{url}#sha256={'b' * 64}")
    assert model.files[0].sha256 == "b" * 64
    assert model.reference == f"{url}#sha256={'b' * 64}"


def test_a_digest_beside_the_file_is_found(server: PlainServer) -> None:
    url = server.file("m.gguf", DATA)
    server.sidecar("m.gguf", DATA)
    assert HttpSource().resolve(url).files[0].sha256 == SHA256


def test_a_page_in_the_place_of_a_digest_is_none(server: PlainServer) -> None:
    url = server.file("m.gguf", DATA)
    server.file("m.gguf.sha256", b"<html>not found, but politely</html>")
    assert HttpSource().resolve(url).files[0].sha256 is None


def test_the_name_comes_from_the_header_where_the_address_has_none(server: PlainServer) -> None:
    url = server.file("download", DATA, Content_Disposition="attachment; filename*=UTF-8''Tiny%20Q8.gguf")
    assert HttpSource().resolve(url).files[0].name == "Tiny Q8.gguf"
    url = server.file("evil", DATA, Content_Disposition='attachment; filename="../../etc/cron.d/x.gguf"')
    assert HttpSource().resolve(url).files[0].name == "x.gguf"


def test_the_address_that_was_given_is_fetched_later_not_the_one_it_led_to(server: PlainServer) -> None:
    url = server.away("Tiny.gguf", DATA)
    (file,) = HttpSource().resolve(url).files
    assert (file.url, file.size_bytes) == (url, len(DATA))  # signatures grow old


def test_a_server_that_knows_no_head_is_asked_for_one_byte(server: PlainServer) -> None:
    url = server.file("m.gguf", DATA)
    server.faults.refuse(405, method="HEAD")
    assert HttpSource().resolve(url).files[0].size_bytes == len(DATA)
    assert "bytes=0-0" in [seen.range for seen in server.requests]


def test_all_parts_of_a_split_file_are_found_beside_it(server: PlainServer) -> None:
    for number in (1, 2, 3):
        server.file(f"big/m-{number:05}-of-00003.gguf", bytes(number))
        server.sidecar(f"big/m-{number:05}-of-00003.gguf", bytes(number))
    model = HttpSource().resolve(f"{server.url}/big/m-00002-of-00003.gguf?key=1")
    assert [file.size_bytes for file in model.files] == [1, 2, 3]
    assert [file.sha256 for file in model.files] == [hashlib.sha256(bytes(number)).hexdigest() for number in (1, 2, 3)]
    assert all(file.url.endswith("?key=1") for file in model.files)
    assert model.stem == "m" and model.reference.endswith("m-00002-of-00003.gguf")
    with pytest.raises(SourceError, match="check how it is written"):
        HttpSource().resolve(f"{server.url}/big/m-00001-of-00004.gguf")


def test_a_secret_in_the_address_is_asked_with_and_not_kept(server: PlainServer) -> None:
    server.file("m.gguf", DATA)
    model = HttpSource().resolve(f"{server.url}/m.gguf?signature=geheim")
    assert "geheim" not in model.reference
    assert model.files[0].url.endswith("?signature=geheim")
    assert server.requests[0].request.query == {"signature": "geheim"}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("m.bin", "can run a program"),
        ("m.pt", "can run a program"),
        ("m.onnx", "made of several"),
        ("x", "made of several"),
    ],
)
def test_other_formats_are_refused(server: PlainServer, name: str, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        HttpSource().resolve(server.file(name, DATA))


def test_a_page_that_shows_a_file_is_no_file(server: PlainServer) -> None:
    with pytest.raises(SourceError, match="copy the address of the download itself"):
        HttpSource().resolve(server.file("m.gguf", DATA, Content_Type="text/html; charset=utf-8"))


def test_what_is_not_there_and_a_busy_server_are_told_apart(server: PlainServer) -> None:
    with pytest.raises(SourceError, match="check how it is written"):
        HttpSource().resolve(f"{server.url}/none.gguf")
    server.faults.refuse(429, retry_after_s=11)
    with pytest.raises(SourceUnavailable) as caught:
        HttpSource().resolve(f"{server.url}/none.gguf")
    assert caught.value.retry_after_s == 11
