"""The hub of these tests is one for ModelScope's own library: it lists, fetches and refuses as the real one does."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from modelscope_hub import HubApi, _legacy_api
from modelscope_hub.errors import HubError

from tests.hubs.modelscope import ModelScopeHub

WEIGHTS = os.urandom(300_000)


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODELSCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def hub() -> Iterator[ModelScopeHub]:
    with ModelScopeHub() as hub:
        repository = hub.repository("acme/tiny")
        repository.file("config.json", "{}").file("tiny.gguf", WEIGHTS).file("a/b.json", "[]")
        yield hub


def api(hub: ModelScopeHub, token: str | None = None) -> HubApi:
    return HubApi(endpoint=hub.url, token=token)


def test_files_are_listed_with_their_digests(hub: ModelScopeHub) -> None:
    files = {file.path: file for file in api(hub).list_repo_files("acme/tiny", "model")}
    assert files["tiny.gguf"].sha256 == hashlib.sha256(WEIGHTS).hexdigest()
    assert files["tiny.gguf"].size == len(WEIGHTS)
    assert "a/b.json" in files


def test_a_listing_ends_without_a_word_and_the_library_walks_the_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_legacy_api, "REPO_FILES_TRUNCATION_LIMIT", 8)
    with ModelScopeHub(max_listed=8) as hub:
        repository = hub.repository("acme/wide")
        for number in range(12):
            repository.file(f"part{number % 3}/{number}.json", "{}")
        assert len(api(hub).list_repo_files("acme/wide", "model")) == 15
        assert len(hub.asked("/repo/files")) > 3


def test_a_whole_model_is_fetched_and_large_files_come_from_the_storage(hub: ModelScopeHub, tmp_path: Path) -> None:
    folder = api(hub).download_repo("acme/tiny", "model", local_dir=tmp_path / "there")
    assert (folder / "tiny.gguf").read_bytes() == WEIGHTS
    assert (folder / "a/b.json").read_bytes() == b"[]"
    assert [seen.status for seen in hub.storage.asked(method="GET")] == [200]


def test_a_token_never_reaches_the_storage(hub: ModelScopeHub, tmp_path: Path) -> None:
    hub.repository("acme/private", private=True).file("m.gguf", WEIGHTS)
    path = api(hub, "ms-reader").download_file("acme/private", "model", "m.gguf", local_dir=tmp_path)
    assert path.read_bytes() == WEIGHTS
    assert "ms-reader" in {seen.request.token for seen in hub.requests}
    assert {seen.request.token for seen in hub.storage.requests} == {None}


def test_a_broken_line_is_taken_up_again(hub: ModelScopeHub, tmp_path: Path) -> None:
    hub.faults.drop_every(200_000, times=1)
    path = api(hub).download_file("acme/tiny", "model", "tiny.gguf", local_dir=tmp_path)
    assert path.read_bytes() == WEIGHTS
    resumed = hub.storage.asked(method="GET")[-1]
    assert resumed.status == 206 and resumed.range is not None


def test_a_tag_keeps_its_commit(hub: ModelScopeHub) -> None:
    hub.repository("acme/two").file("a.gguf", WEIGHTS).tag("v1").file("b.gguf", WEIGHTS)
    tagged = api(hub).list_repo_files("acme/two", "model", revision="v1")
    assert [file.path for file in tagged] == ["a.gguf"]
    assert {each["Revision"] for each in api(hub).list_repo_revisions("acme/two", "model")} == {"master", "v1"}


def test_what_is_private_or_missing_is_refused(hub: ModelScopeHub) -> None:
    hub.repository("acme/private", private=True).file("m.gguf", WEIGHTS)
    for name in ("acme/private", "acme/none"):
        with pytest.raises(HubError):
            api(hub).list_repo_files(name, "model")
