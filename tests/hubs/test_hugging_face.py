"""The hub of these tests is one for Hugging Face's own library: it lists, fetches and refuses as the real one does."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants, hf_hub_download, set_client_factory, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils._http import default_client_factory

from tests.hubs.hugging_face import HuggingFaceHub

WEIGHTS = os.urandom(700_000)


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    set_client_factory(default_client_factory)


@pytest.fixture
def hub() -> Iterator[HuggingFaceHub]:
    with HuggingFaceHub(page_entries=3) as hub:
        repository = hub.repository("acme/tiny")
        for name, data in (
            ("config.json", b"{}"),
            ("tiny.gguf", WEIGHTS),
            ("a/b/c.json", b"[]"),
            ("README.md", b"# x"),
        ):
            repository.file(name, data)
        yield hub


def download(hub: HuggingFaceHub, folder: Path, name: str = "tiny.gguf", token: str | bool = False) -> bytes:
    path = hf_hub_download("acme/tiny", name, endpoint=hub.url, token=token, cache_dir=folder)
    return Path(path).read_bytes()


def test_a_model_is_described_with_the_digests_of_its_files(hub: HuggingFaceHub) -> None:
    info = HfApi(endpoint=hub.url, token=False).model_info("acme/tiny", files_metadata=True)
    files = {sibling.rfilename: sibling for sibling in info.siblings or []}
    assert info.card_data is not None and info.card_data.license == "apache-2.0"
    assert files["tiny.gguf"].lfs is not None
    assert files["tiny.gguf"].lfs.sha256 == hashlib.sha256(WEIGHTS).hexdigest()
    assert files["config.json"].blob_id == "9e26dfeeb6e641a33dae4961196235bdb965b21b"  # `git hash-object` of "{}"
    assert files["config.json"].lfs is None


def test_a_tree_is_listed_over_several_pages(hub: HuggingFaceHub) -> None:
    entries = list(HfApi(endpoint=hub.url, token=False).list_repo_tree("acme/tiny", recursive=True))
    assert [entry.path for entry in entries] == ["README.md", "a", "a/b", "a/b/c.json", "config.json", "tiny.gguf"]
    assert len(hub.asked("/tree/")) == 2


def test_large_files_come_from_the_storage_and_small_ones_from_git(hub: HuggingFaceHub, tmp_path: Path) -> None:
    assert download(hub, tmp_path) == WEIGHTS
    assert download(hub, tmp_path, "config.json") == b"{}"
    assert [seen.status for seen in hub.storage.requests] == [200]
    assert hub.asked("/api/resolve-cache/", "GET")


def test_a_token_never_reaches_the_storage(hub: HuggingFaceHub, tmp_path: Path) -> None:
    assert download(hub, tmp_path, token="hf_reader") == WEIGHTS
    assert {seen.request.token for seen in hub.requests} == {"hf_reader"}
    assert {seen.request.token for seen in hub.storage.requests} == {None}


def test_a_whole_repository_is_fetched(hub: HuggingFaceHub, tmp_path: Path) -> None:
    folder = Path(snapshot_download("acme/tiny", endpoint=hub.url, token=False, local_dir=tmp_path))
    assert (folder / "tiny.gguf").read_bytes() == WEIGHTS
    assert (folder / "a/b/c.json").read_bytes() == b"[]"


def test_a_download_goes_on_where_the_line_broke(hub: HuggingFaceHub, tmp_path: Path) -> None:
    large = os.urandom(12 * 2**20)
    hub.repository("acme/tiny").file("tiny.gguf", large)
    hub.faults.drop_every(11 * 2**20, times=1)
    assert download(hub, tmp_path) == large
    kept = f"bytes={constants.DOWNLOAD_CHUNK_SIZE}-"  # the library takes only whole chunks of its own
    assert [(seen.range, seen.status) for seen in hub.storage.requests] == [(None, 200), (kept, 206)]


def test_an_older_commit_can_still_be_asked_for(hub: HuggingFaceHub) -> None:
    api = HfApi(endpoint=hub.url, token=False)
    before = api.model_info("acme/tiny").sha
    hub.repository("acme/other").file("x", b"1").tag("v1").file("y", b"2")
    tagged = api.model_info("acme/other", revision="v1")
    assert [sibling.rfilename for sibling in tagged.siblings or []] == ["x"]
    assert tagged.sha != api.model_info("acme/other").sha
    assert api.model_info("acme/tiny", revision=before).sha == before


def test_what_is_not_there_is_refused_by_the_right_name(hub: HuggingFaceHub, tmp_path: Path) -> None:
    api = HfApi(endpoint=hub.url, token=False)
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("acme/none")
    with pytest.raises(RevisionNotFoundError):
        api.model_info("acme/tiny", revision="v9")
    with pytest.raises(EntryNotFoundError):
        download(hub, tmp_path, "none.gguf")


def test_a_gated_model_is_open_to_see_and_closed_to_fetch(hub: HuggingFaceHub, tmp_path: Path) -> None:
    hub.repository("acme/gated", gated="manual").file("m.gguf", WEIGHTS)
    for token in (False, "hf_stranger"):
        api = HfApi(endpoint=hub.url, token=token)
        assert api.model_info("acme/gated").gated == "manual"
        with pytest.raises(GatedRepoError):
            api.auth_check("acme/gated")
        with pytest.raises(GatedRepoError):
            hf_hub_download("acme/gated", "m.gguf", endpoint=hub.url, token=token, cache_dir=tmp_path)
    path = hf_hub_download("acme/gated", "m.gguf", endpoint=hub.url, token="hf_reader", cache_dir=tmp_path)
    assert Path(path).read_bytes() == WEIGHTS


def test_a_private_model_does_not_exist_for_strangers(hub: HuggingFaceHub) -> None:
    hub.repository("acme/private", private=True).file("m.gguf", WEIGHTS)
    with pytest.raises(RepositoryNotFoundError):
        HfApi(endpoint=hub.url, token="hf_stranger").model_info("acme/private")
    assert HfApi(endpoint=hub.url, token="hf_reader").model_info("acme/private").private


def test_a_renamed_repository_is_still_found(hub: HuggingFaceHub, tmp_path: Path) -> None:
    hub.renamed["old/name"] = "acme/tiny"
    assert HfApi(endpoint=hub.url, token=False).model_info("old/name").id == "acme/tiny"
    path = hf_hub_download("old/name", "tiny.gguf", endpoint=hub.url, token=False, cache_dir=tmp_path)
    assert Path(path).read_bytes() == WEIGHTS


def test_too_many_requests_are_refused_with_a_time(hub: HuggingFaceHub) -> None:
    hub.faults.refuse(429, path="/api/models", retry_after_s=7)
    with pytest.raises(HfHubHTTPError) as caught:
        HfApi(endpoint=hub.url, token=False).model_info("acme/tiny")
    assert caught.value.response.headers["Retry-After"] == "7"


def test_repositories_are_found_by_part_of_their_name(hub: HuggingFaceHub) -> None:
    found = HfApi(endpoint=hub.url, token=False).list_models(search="tin", limit=5)
    assert [model.id for model in found] == ["acme/tiny"]
