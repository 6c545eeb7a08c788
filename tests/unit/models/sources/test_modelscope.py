"""Models of ModelScope, resolved from a hub on this machine."""

import hashlib
import os
from collections.abc import Iterator

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.sources.base import RemoteFile, RemoteModel, SourceError, SourceUnavailable
from models.sources.modelscope import ModelScopeSource
from models.sources.web import Web
from tests.hubs.modelscope import ModelScopeHub
from tests.hubs.plain import PlainServer

Q4, Q8 = os.urandom(40_000), os.urandom(80_000)


@pytest.fixture
def hub() -> Iterator[ModelScopeHub]:
    with ModelScopeHub() as hub:
        hub.repository("acme/tiny").file("README.md", "# x").file("tiny-Q8_0.gguf", Q8).file("tiny-Q4_K_M.gguf", Q4)
        yield hub


def fetch(source: ModelScopeSource, file: RemoteFile) -> bytes:
    response = httpx.get(file.url, headers=source.headers(file.url), follow_redirects=True)
    assert response.status_code == 200, response.text
    return response.content


def test_a_model_is_resolved_to_a_commit_a_file_and_its_digest(hub: ModelScopeHub) -> None:
    source = ModelScopeSource(hub.url)
    model = source.resolve("ms:acme/tiny")
    (file,) = model.files
    assert (file.name, file.size_bytes, file.sha256) == ("tiny-Q4_K_M.gguf", len(Q4), hashlib.sha256(Q4).hexdigest())
    assert (model.kind, model.publisher, model.licence) == ("modelscope", "acme", "apache-2.0")
    assert model.reference == f"ms:acme/tiny:tiny-Q4_K_M.gguf@{model.revision}"
    assert model.revision is not None and len(model.revision) == 40
    assert fetch(source, file) == Q4


def test_the_full_reference_names_the_same_files_after_the_repository_has_moved_on(hub: ModelScopeHub) -> None:
    source = ModelScopeSource(hub.url)
    before = source.resolve("ms:acme/tiny:Q8_0")
    hub.repository("acme/tiny").file("tiny-Q8_0.gguf", Q4)
    with pytest.raises(SourceError, match="no such revision"):
        source.resolve(before.reference)  # the repository was made anew, and knows nothing of what was
    moving = hub.repository("acme/moving").file("m.gguf", Q4)
    pinned = source.resolve("ms:acme/moving")
    moving.file("m.gguf", Q8)
    assert source.resolve(pinned.reference).files == pinned.files
    assert fetch(source, pinned.files[0]) == Q4


def test_every_file_has_a_digest_also_small_ones(hub: ModelScopeHub) -> None:
    repository = hub.repository("acme/st")
    for name in ("config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json"):
        repository.file(name, name)
    source = ModelScopeSource(hub.url)
    for file in source.resolve("ms:acme/st").files:
        assert file.sha256 == hashlib.sha256(fetch(source, file)).hexdigest()


def test_a_revision_that_does_not_exist_is_listed_with_success_and_is_an_error_here(hub: ModelScopeHub) -> None:
    with pytest.raises(SourceError, match="at revision 'main', or no such revision; its main one is 'master'"):
        ModelScopeSource(hub.url).resolve("ms:acme/tiny@main")


def test_of_a_listing_that_ends_without_a_word_the_files_at_the_top_are_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("models.sources.modelscope.MAX_LISTED", 10)
    with ModelScopeHub(max_listed=10) as hub:
        repository = hub.repository("acme/wide")
        for number in range(12):
            repository.file(f"checkpoints/{number}.json", "{}")
        repository.file("model-Q4_0.gguf", Q4)
        assert [file.name for file in ModelScopeSource(hub.url).resolve("ms:acme/wide").files] == ["model-Q4_0.gguf"]


def test_a_private_model_needs_a_token_which_goes_to_the_hub_alone(hub: ModelScopeHub) -> None:
    hub.repository("acme/private", private=True).file("m.gguf", Q4)
    with pytest.raises(SourceError, match=r"set downloads\.modelscope_token"):
        ModelScopeSource(hub.url).resolve("ms:acme/private")
    source = ModelScopeSource(hub.url, "ms-reader")
    assert fetch(source, source.resolve("ms:acme/private").files[0]) == Q4
    assert {seen.request.token for seen in hub.storage.requests} == {None}
    assert source.headers(hub.storage.url) == {}


def test_an_unknown_model_and_a_busy_hub_are_told_apart(hub: ModelScopeHub) -> None:
    with pytest.raises(SourceError, match="no model acme/none"):
        ModelScopeSource(hub.url).resolve("ms:acme/none")
    hub.faults.refuse(429, retry_after_s=5)
    with pytest.raises(SourceUnavailable) as caught:
        ModelScopeSource(hub.url).resolve("ms:acme/tiny")
    assert caught.value.retry_after_s == 5


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b'{"Code": 200}',
        b'{"Code": 500, "Message": "no"}',
        b'{"Code": 200, "Data": {"Files": [{}]}}',
        b'{"Code": 200, "Data": {"Files": [{"Path": "m.gguf", "Sha256": "none"}]}}',
    ],
)
def test_an_answer_that_describes_no_model_is_a_clear_error(body: bytes) -> None:
    with PlainServer() as server:
        server.file("api/v1/models/a/b/repo/files", body)
        with pytest.raises(SourceError):
            ModelScopeSource(server.url).resolve("ms:a/b")


def test_a_licence_that_cannot_be_asked_for_just_now_is_not_taken_for_none() -> None:
    listing = {"Code": 200, "Data": {"Files": [{"Path": "m.gguf"}]}}

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=listing) if request.url.path.endswith("/files") else httpx.Response(503)

    with pytest.raises(SourceUnavailable):
        ModelScopeSource("http://hub.example", web=Web(transport=httpx.MockTransport(answer))).resolve("ms:a/b")


OF_A_FILE = ("Type", "Size", "Sha256", "Revision")
NAMES = ("Code", "Data", "Files", "Path", "LatestCommitter", "Id", "ShortId", "License", "Message", *OF_A_FILE)
WORDS = ("a" * 40, "b" * 64, "m.gguf", "../m.gguf", "tree", "")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
ENTRIES = st.fixed_dictionaries({"Path": st.just("m.gguf")}, optional=dict.fromkeys(OF_A_FILE, VALUES))
ANSWERS = VALUES | st.fixed_dictionaries(
    {"Code": st.just(200), "Data": st.fixed_dictionaries({"Files": st.lists(ENTRIES | VALUES, max_size=3)})}
)


@given(ANSWERS)
def test_whatever_a_hub_answers_ends_in_a_model_or_a_clear_error(answer: object) -> None:
    web = Web(transport=httpx.MockTransport(lambda request: httpx.Response(200, json=answer)))
    try:
        model = ModelScopeSource("http://hub.example", web=web).resolve("ms:a/b")
    except SourceError:
        return
    assert msgspec.json.decode(msgspec.json.encode(model), type=RemoteModel) == model  # every field is of its type
