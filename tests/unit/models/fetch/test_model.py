"""All files of a model: each once, under its name, from wherever it is, and none that the disk has no room for."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from models.errors import StoreError
from models.fetch import model as model_module
from models.fetch.downloads import Downloads, key_of
from models.fetch.model import FetchPlan, FetchProgress, check_room, fetch_model
from models.fetch.tuning import Brakes
from models.sources.base import RemoteFile, RemoteModel, SourceError
from tests.hubs.plain import PlainServer
from tests.hubs.server import sha256_of
from tests.unit.models.fetch.conftest import QUICK

SMALL = b'{"a": 1}'


@pytest.fixture
def model(server: PlainServer, data: bytes) -> RemoteModel:
    return RemoteModel(
        kind="http",
        reference="https://a.example/m",
        stem="m",
        licence="mit",
        files=(
            RemoteFile(name="model.gguf", url=server.file("model.gguf", data), size_bytes=len(data)),
            RemoteFile(name="sub/config.json", url=server.file("config.json", SMALL) + "?key=hush", size_bytes=8),
        ),
    )


@pytest.fixture
def planned(tmp_path: Path) -> Callable[..., FetchPlan]:
    def plan(model: RemoteModel, *, blobs: dict[str, Path] | None = None, min_free_bytes: int = 0) -> FetchPlan:
        return FetchPlan(
            model=model,
            headers=lambda url: {},
            downloads=Downloads(tmp_path / "downloads"),
            folder=tmp_path / "files",
            blob=lambda sha256: (blobs or {}).get(sha256),
            tuning=QUICK,
            brakes=Brakes(),
            min_free_bytes=min_free_bytes,
        )

    return plan


def quiet(progress: FetchProgress) -> None: ...


def test_all_files_come_under_their_names_with_where_they_are_from(
    model: RemoteModel, planned: Callable[..., FetchPlan], tmp_path: Path, data: bytes, server: PlainServer
) -> None:
    seen: list[FetchProgress] = []
    provenance = fetch_model(planned(model), seen.append)
    assert (tmp_path / "files" / "model.gguf").read_bytes() == data
    assert (tmp_path / "files" / "sub" / "config.json").read_bytes() == SMALL
    assert [(file.name, file.sha256, file.is_stated) for file in provenance.files] == [
        ("model.gguf", sha256_of(data), False),
        ("sub/config.json", sha256_of(SMALL), False),
    ]
    assert "hush" not in str(provenance)
    assert (provenance.licence, provenance.reference) == ("mit", "https://a.example/m")
    assert seen[0].file.name == "sub/config.json"  # small ones first: they fail early
    assert (seen[-1].done_bytes, seen[-1].total_bytes) == (len(data) + 8, len(data) + 8)
    assert [each.done_bytes for each in seen] == sorted(each.done_bytes for each in seen)


def test_a_file_that_the_store_has_is_not_fetched(
    model: RemoteModel, planned: Callable[..., FetchPlan], tmp_path: Path, data: bytes, server: PlainServer
) -> None:
    blob = tmp_path / "blob"
    blob.write_bytes(data)
    first = RemoteFile(name="model.gguf", url=model.files[0].url, size_bytes=len(data), sha256=sha256_of(data))
    stated = RemoteModel(kind="http", reference="r", stem="m", files=(first,))
    plan = planned(stated, blobs={sha256_of(data): blob}, min_free_bytes=2**60)
    check_room(plan)  # nothing is needed
    assert fetch_model(plan, quiet).files[0].is_stated
    assert (tmp_path / "files" / "model.gguf").samefile(blob)
    assert server.requests == []


def test_what_the_disk_has_no_room_for_is_refused_before_a_byte_is_fetched(
    model: RemoteModel, planned: Callable[..., FetchPlan], server: PlainServer
) -> None:
    with pytest.raises(StoreError, match=r"needs 0\.0 GiB; .* GiB are free on the disk of .*stay free; make room"):
        check_room(planned(model, min_free_bytes=2**60))
    check_room(planned(model))
    assert server.requests == []


@pytest.mark.parametrize("name", ["../model.gguf", "/etc/model.gguf", "a/../../b", "", "a\\b", "a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(
    model: RemoteModel, planned: Callable[..., FetchPlan], name: str, tmp_path: Path
) -> None:
    file = RemoteFile(name=name, url=model.files[0].url)
    with pytest.raises(SourceError, match="which is no name for one"):
        fetch_model(planned(RemoteModel(kind="http", reference="r", stem="m", files=(file,))), quiet)


def test_a_file_of_this_machine_is_copied_as_one_from_elsewhere_is(
    planned: Callable[..., FetchPlan], tmp_path: Path, data: bytes
) -> None:
    source = tmp_path / "a stick" / "model.gguf"
    source.parent.mkdir()
    source.write_bytes(data)
    file = RemoteFile(name="model.gguf", url=source.as_uri(), size_bytes=len(data))
    plan = planned(RemoteModel(kind="file", reference=str(source), stem="m", files=(file,)))
    assert fetch_model(plan, quiet).files[0].sha256 == sha256_of(data)
    assert (tmp_path / "files" / "model.gguf").read_bytes() == data
    assert not (tmp_path / "files" / "model.gguf").samefile(source)


def test_two_downloads_of_one_file_share_it_one_after_the_other(
    model: RemoteModel, planned: Callable[..., FetchPlan], tmp_path: Path, data: bytes, server: PlainServer
) -> None:
    notes: list[str | None] = []
    server.faults.hold_after(50_000)
    first = threading.Thread(target=fetch_model, args=(planned(model), quiet))
    first.start()
    server.faults.wait_until_held()

    def look(progress: FetchProgress) -> None:
        notes.append(progress.note)
        server.faults.release()

    fetch_model(planned(model), look)
    first.join()
    assert "another download fetches it" in notes
    bounds = [seen.range.removeprefix("bytes=").split("-") for seen in server.asked("model.gguf") if seen.range]
    assert sum(int(last) - int(first) + 1 for first, last in bounds) < 2 * len(data)


def test_folders_are_found_by_what_a_file_is_and_secrets_do_not_count(tmp_path: Path) -> None:
    file = RemoteFile(name="a", url="https://a.example/a?key=1", sha256="ab" * 32)
    assert key_of(file) == "sha256-" + "ab" * 32
    first, second = (RemoteFile(name="a", url=f"https://a.example/a?key={key}") for key in "12")
    assert key_of(first) == key_of(second) != key_of(RemoteFile(name="a", url="https://a.example/b"))


def test_a_folder_that_somebody_has_is_not_deleted(tmp_path: Path) -> None:
    downloads = Downloads(tmp_path)
    with downloads.hold("key", lambda: None) as folder:
        downloads.remove("key")
        assert folder.is_dir()
    downloads.remove("key")
    assert not folder.exists()
    downloads.remove("key")


def test_a_file_system_without_second_names_gets_a_copy(
    model: RemoteModel,
    planned: Callable[..., FetchPlan],
    tmp_path: Path,
    data: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(model_module.os, "link", refuse)
    fetch_model(planned(model), quiet)
    assert (tmp_path / "files" / "model.gguf").read_bytes() == data
