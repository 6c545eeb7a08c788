"""`/v1/files` with the openai library: kept, told, given back, deleted, and nobody else's."""

import httpx
import openai as library
import pytest
from openai import OpenAI

from tests.api.conftest import Daemon

CONTENT = b'{"custom_id": "a"}\n' * 1000


def test_a_file_comes_back_as_it_was_sent(openai: OpenAI) -> None:
    file = openai.files.create(file=("in.jsonl", CONTENT), purpose="batch")
    assert (file.filename, file.bytes, file.purpose, file.status) == ("in.jsonl", len(CONTENT), "batch", "processed")
    assert openai.files.content(file.id).content == CONTENT
    assert openai.files.retrieve(file.id) == file


def test_files_are_listed_newest_first_in_pages(openai: OpenAI) -> None:
    ids = [openai.files.create(file=(f"{n}.txt", b"x"), purpose="user_data").id for n in range(3)]
    openai.files.create(file=("b.jsonl", b"x"), purpose="batch")
    assert [file.id for file in openai.files.list(purpose="user_data")] == ids[::-1]
    assert [file.id for file in openai.files.list(purpose="user_data", order="asc", limit=2)] == ids
    page = openai.files.list(purpose="user_data", after=ids[2], limit=1)
    assert [file.id for file in page.data] == [ids[1]]
    assert page.has_more


def test_a_deleted_file_is_gone(openai: OpenAI, daemon: Daemon) -> None:
    file = openai.files.create(file=("in.jsonl", CONTENT), purpose="batch")
    assert openai.files.delete(file.id).deleted
    with pytest.raises(library.NotFoundError):
        openai.files.retrieve(file.id)
    assert list((daemon.home / "files").glob("file-*")) == []


def test_nobody_sees_the_files_of_others(openai: OpenAI, daemon: Daemon) -> None:
    keys = [daemon.parts.keys.create(name, "use").key for name in ("ada", "bob")]
    ada, bob = (openai.with_options(api_key=key) for key in keys)
    file = ada.files.create(file=("in.jsonl", CONTENT), purpose="batch")
    assert [each.id for each in ada.files.list()] == [file.id]
    assert list(bob.files.list()) == []
    for ask in (bob.files.retrieve, bob.files.content, bob.files.delete):
        with pytest.raises(library.NotFoundError):
            ask(file.id)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "purpose"),
        ({"purpose": "evil"}, "purpose"),
        ({"purpose": "batch", "expires_after[seconds]": "5"}, "expires_after[seconds]"),
        (
            {"purpose": "batch", "expires_after[seconds]": "7200", "expires_after[anchor]": "now"},
            "expires_after[anchor]",
        ),
    ],
)
def test_what_a_form_says_wrongly_is_refused_and_nothing_is_kept(
    http: httpx.Client, daemon: Daemon, fields: dict[str, str], param: str
) -> None:
    response = http.post("/v1/files", data=fields, files={"file": ("a", b"x")})
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert list((daemon.home / "files").glob("*")) == []


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("multipart/form-data", b"", 415),
        ("multipart/form-data; boundary=x", b"", 400),
        ("multipart/form-data; boundary=x", b"--x\r\nnonsense", 400),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch', 400),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--', 400),
    ],
)
def test_what_is_no_whole_form_is_refused(http: httpx.Client, content_type: str, body: bytes, status: int) -> None:
    response = http.post("/v1/files", content=body, headers={"content-type": content_type})
    assert response.status_code == status
    assert response.json()["error"]["message"]


def test_the_file_may_come_before_its_purpose(http: httpx.Client) -> None:
    form = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % part
        for part in ((b"file", b'; filename="in.jsonl"', CONTENT), (b"purpose", b"", b"batch"))
    )
    headers = {"content-type": "multipart/form-data; boundary=x"}
    response = http.post("/v1/files", content=form + b"--x--\r\n", headers=headers)
    assert (response.status_code, response.json()["bytes"]) == (200, len(CONTENT))
