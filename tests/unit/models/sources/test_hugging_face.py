"""Models of a Hugging Face Hub, resolved through its own library from a hub on this machine."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import httpx2
import msgspec
import pytest
from huggingface_hub import set_client_factory
from hypothesis import example, given
from hypothesis import strategies as st

from models.sources.base import RemoteFile, RemoteModel, SourceError, SourceUnavailable
from models.sources.hugging_face import HuggingFaceSource
from tests.hubs.hugging_face import HuggingFaceHub, git_blob_sha1
from tests.hubs.plain import PlainServer

Q4, Q8 = os.urandom(40_000), os.urandom(80_000)


@pytest.fixture
def hub() -> Iterator[HuggingFaceHub]:
    with HuggingFaceHub() as hub:
        hub.repository("acme/tiny-GGUF").file("tiny-Q4_K_M.gguf", Q4).file("tiny-Q8_0.gguf", Q8).file(
            "README.md", "# x"
        )
        yield hub


def fetch(source: HuggingFaceSource, file: RemoteFile) -> bytes:
    """Fetch as a downloader would: the token goes where the source says, and nowhere else."""
    url = file.url
    for _ in range(5):
        response = httpx.get(url, headers=source.headers(url))
        if not response.has_redirect_location:
            assert response.status_code == 200, response.text
            return response.content
        url = str(response.url.join(response.headers["location"]))
    raise AssertionError("no end of redirects")


def test_a_model_is_resolved_to_a_commit_a_file_and_its_digest(hub: HuggingFaceHub) -> None:
    source = HuggingFaceSource(hub.url)
    model = source.resolve("hf:acme/tiny-GGUF")
    (file,) = model.files
    assert (file.name, file.size_bytes, file.sha256) == ("tiny-Q4_K_M.gguf", len(Q4), hashlib.sha256(Q4).hexdigest())
    assert (model.kind, model.publisher, model.licence, model.stem) == (
        "hugging_face",
        "acme",
        "apache-2.0",
        "tiny-Q4_K_M",
    )
    assert model.reference == f"hf:acme/tiny-GGUF:tiny-Q4_K_M.gguf@{model.revision}"
    assert model.choice is not None and "of 2 files" in model.choice
    assert fetch(source, file) == Q4


def test_the_full_reference_names_the_same_files_after_the_repository_has_moved_on(hub: HuggingFaceHub) -> None:
    repository = hub.repository("acme/moving").file("m-Q4_K_M.gguf", Q4)
    source = HuggingFaceSource(hub.url)
    before = source.resolve("acme/moving")
    repository.file("m-Q4_K_M.gguf", Q8)
    assert source.resolve(before.reference).files == before.files
    assert source.resolve("acme/moving").files[0].sha256 == hashlib.sha256(Q8).hexdigest()
    assert fetch(source, before.files[0]) == Q4


def test_small_files_are_named_by_git_and_can_be_verified_by_it(hub: HuggingFaceHub) -> None:
    files = {"config.json": b'{"a": 1}', "tokenizer.json": b"{}", "model.safetensors": Q4, "LICENSE": b"free"}
    repository = hub.repository("acme/st")
    for name, data in files.items():
        repository.file(name, data)
    source = HuggingFaceSource(hub.url)
    model = source.resolve("hf:acme/st")
    assert {file.name for file in model.files} == set(files)
    for file in model.files:
        assert (file.sha256 is None) == (file.git_sha1 is not None)
        data = fetch(source, file)
        assert data == files[file.name]
        assert file.git_sha1 in (None, git_blob_sha1(data))


@pytest.mark.parametrize(
    "reference",
    [
        "hf:acme/tiny-GGUF:Q8_0",
        "hf:acme/tiny-GGUF:tiny-Q8_0.gguf@main",
        "{url}/acme/tiny-GGUF/blob/main/tiny-Q8_0.gguf",
    ],
)
def test_a_quantization_a_file_or_the_page_of_one_means_that_one(hub: HuggingFaceHub, reference: str) -> None:
    model = HuggingFaceSource(hub.url).resolve(reference.format(url=hub.url))
    assert [file.name for file in model.files] == ["tiny-Q8_0.gguf"]


def test_a_branch_or_tag_is_resolved_to_its_commit(hub: HuggingFaceHub) -> None:
    repository = hub.repository("acme/two").file("m-Q4_0.gguf", Q4).tag("v1").file("m-Q4_0.gguf", Q8)
    source = HuggingFaceSource(hub.url)
    assert source.resolve("hf:acme/two@v1").revision == repository.refs["v1"]
    with pytest.raises(SourceError, match="no revision 'v2'"):
        source.resolve("hf:acme/two@v2")


def test_a_former_name_leads_to_the_present_one(hub: HuggingFaceHub) -> None:
    hub.renamed["old/tiny"] = "acme/tiny-GGUF"
    model = HuggingFaceSource(hub.url).resolve("hf:old/tiny")
    assert model.reference.startswith("hf:acme/tiny-GGUF:") and model.publisher == "acme"


def test_a_gated_model_is_refused_before_anything_is_fetched_with_what_to_do(hub: HuggingFaceHub) -> None:
    hub.repository("acme/gated", gated="manual", licence="llama3.2").file("m.gguf", Q4)
    with pytest.raises(
        SourceError, match=rf"accept them at {hub.url}/acme/gated, then set downloads\.hugging_face_token"
    ):
        HuggingFaceSource(hub.url).resolve("hf:acme/gated")
    with pytest.raises(SourceError, match=r"the account of downloads\.hugging_face_token has not accepted"):
        HuggingFaceSource(hub.url, "hf_stranger").resolve("hf:acme/gated")
    source = HuggingFaceSource(hub.url, "hf_reader")
    model = source.resolve("hf:acme/gated")
    assert fetch(source, model.files[0]) == Q4
    assert model.licence == "llama3.2"


def test_a_token_goes_to_the_hub_and_nowhere_else(hub: HuggingFaceHub) -> None:
    source = HuggingFaceSource(hub.url, "hf_reader")
    fetch(source, source.resolve("hf:acme/tiny-GGUF").files[0])
    assert {seen.request.token for seen in hub.requests} == {"hf_reader"}
    assert {seen.request.token for seen in hub.storage.requests} == {None}
    assert source.headers("https://hub.example/x") == {}
    assert source.headers(hub.url.replace("http:", "https:")) == {}
    assert source.headers(f"{hub.url}.example/x") == {}


def test_a_token_of_somebody_else_on_this_machine_is_not_used(
    hub: HuggingFaceHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_reader")
    HuggingFaceSource(hub.url).resolve("hf:acme/tiny-GGUF")
    assert {seen.request.token for seen in hub.requests} == {None}


def test_a_wrong_token_is_named_and_never_shown(hub: HuggingFaceHub) -> None:
    with pytest.raises(SourceError, match=r"does not know the token in downloads\.hugging_face_token") as caught:
        HuggingFaceSource(hub.url, "hf_geheim").resolve("hf:acme/tiny-GGUF")
    assert "hf_geheim" not in str(caught.value)


def test_an_unknown_model_is_answered_with_similar_names(hub: HuggingFaceHub) -> None:
    with pytest.raises(SourceError, match=r"no model other/tiny; is it one of acme/tiny-GGUF, or it is private"):
        HuggingFaceSource(hub.url).resolve("hf:other/tiny")
    with pytest.raises(SourceError, match="check how it is written"):
        HuggingFaceSource(hub.url, "hf_reader").resolve("hf:other/nothing-like-it")


@pytest.mark.parametrize(("status", "retry_after_s"), [(429, 9), (500, None), (503, 4)])
def test_a_hub_that_is_busy_can_be_asked_later(hub: HuggingFaceHub, status: int, retry_after_s: int | None) -> None:
    hub.faults.refuse(status, retry_after_s=retry_after_s)
    with pytest.raises(SourceUnavailable) as caught:
        HuggingFaceSource(hub.url).resolve("hf:acme/tiny-GGUF")
    assert caught.value.retry_after_s == retry_after_s
    assert len(hub.requests) <= 1


def test_a_hub_that_is_not_there_can_be_asked_later() -> None:
    gone = PlainServer()
    gone.close()
    with pytest.raises(SourceUnavailable, match="refuses connections"):
        HuggingFaceSource(gone.url).resolve("hf:acme/tiny")


@pytest.mark.parametrize(
    "body",
    [
        b"<html>log in</html>",
        b"[]",
        b"{}",
        b'{"id": 7}',
        b'{"id": "a/b", "sha": "main", "siblings": []}',
        b'"text"',
        b'{"id": "a/b", "sha": "%s", "siblings": [{"rfilename": 5}]}' % (b"a" * 40),
        b'{"id": "a/b", "sha": "%s", "siblings": [{"rfilename": "m.gguf", "size": "x"}]}' % (b"a" * 40),
    ],
)
def test_an_answer_that_describes_no_model_is_a_clear_error(body: bytes) -> None:
    with PlainServer() as server:
        server.file("api/models/a/b", body)
        with pytest.raises(SourceError):
            HuggingFaceSource(server.url).resolve("hf:a/b")


def test_no_answer_of_a_hub_fills_our_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.sources.hub_client.MAX_ANSWER_BYTES", 1000)
    with PlainServer() as server:
        server.file("api/models/a/b", b" " * 5000)
        with pytest.raises(SourceError, match="more than 1000 bytes"):
            HuggingFaceSource(server.url).resolve("hf:a/b")


def test_nobody_is_told_who_asks_and_no_cache_is_written(
    hub: HuggingFaceHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)  # where the library would ask who asks
    monkeypatch.setattr("huggingface_hub.utils._detect_agent._registry", None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.AGENT_HARNESSES_PATH", str(tmp_path / "agents.json"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY", False)
    HuggingFaceSource(hub.url).resolve("hf:acme/tiny-GGUF")
    assert not list(tmp_path.iterdir())
    assert [seen.request.path for seen in hub.requests] == ["/api/models/acme/tiny-GGUF"]
    agent = hub.requests[0].request.headers["user-agent"]
    assert "agent/" not in agent and "torch/" not in agent


def test_other_references_are_not_asked_for_here(hub: HuggingFaceHub) -> None:
    with pytest.raises(SourceError, match="write hf:OWNER/REPO"):
        HuggingFaceSource(hub.url).resolve("ollama:x")


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ({"license": "MIT"}, "mit"),
        ({"license": "other", "license_name": "Qwen-Research"}, "qwen-research"),
        ({"license": ["apache-2.0", "mit"]}, "apache-2.0"),
        ({}, None),
    ],
)
def test_the_licence_is_the_one_that_the_card_states(
    hub: HuggingFaceHub, card: dict[str, object], licence: str | None
) -> None:
    hub.repository("acme/l", licence=None, card=card).file("m.gguf", Q4)
    assert HuggingFaceSource(hub.url).resolve("hf:acme/l").licence == licence


OF_A_MODEL = ("id", "sha", "author", "siblings", "cardData", "license", "tags", "gated", "lastModified")
OF_A_FILE = ("rfilename", "size", "lfs", "sha256", "pointerSize", "blobId")
NAMES = (*OF_A_MODEL, *OF_A_FILE)
WORDS = ("a/b", "a" * 40, "b" * 64, "m.gguf", "../m.gguf", "x")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
FILES = st.fixed_dictionaries({"rfilename": st.just("m.gguf")}, optional=dict.fromkeys(OF_A_FILE[1:], VALUES))
ANSWERS = VALUES | st.fixed_dictionaries(
    {"id": VALUES, "sha": st.just("a" * 40), "siblings": st.lists(FILES | VALUES, max_size=3)},
    optional=dict.fromkeys(("author", *OF_A_MODEL[4:]), VALUES),
)


@given(ANSWERS)
@example({"id": "a/b", "sha": "a" * 40, "siblings": [{"rfilename": "m.gguf", "size": False}]})
def test_whatever_a_hub_answers_ends_in_a_model_or_a_clear_error(answer: object) -> None:
    source = HuggingFaceSource("http://hub.example")
    set_client_factory(
        lambda: httpx2.Client(transport=httpx2.MockTransport(lambda request: httpx2.Response(200, json=answer)))
    )
    try:
        model = source.resolve("hf:a/b")
    except SourceError:
        return
    assert msgspec.json.decode(msgspec.json.encode(model), type=RemoteModel) == model  # every field is of its type
