"""Downloads that were verified become models without being read or copied again."""

import os
from pathlib import Path

import pytest

from models.errors import NameTaken, StoreError
from models.formats import gguf
from models.manifest import ModelPreset
from models.store.blobs import Blobs
from models.store.store import ModelStore
from tests.unit.models.store.test_store import add, blobs, names, write_model
from tests.unit.models.stores import fetch, fetched, numbers_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(root: Path) -> ModelStore:
    return ModelStore(root)


def test_a_download_becomes_a_model_with_its_origin(store: ModelStore, root: Path) -> None:
    folder = root / "downloads" / "a"
    provenance = fetched(folder, 1.0)
    manifest = store.add_fetched(folder, "acme/tiny", provenance, 7.0, ModelPreset(system="Be brief."))
    assert (manifest.provenance, manifest.source, manifest.added_s) == (provenance, "hf:acme/tiny:tiny.gguf@r1", 7.0)
    assert manifest.preset == ModelPreset(system="Be brief.")
    assert blobs(root) == [f"sha256-{provenance.files[0].sha256}"]
    assert ModelStore(root).get("acme/tiny") == manifest
    assert store.changed_files(manifest) == store.check_integrity() == []


def test_the_file_itself_moves_and_nothing_is_copied(store: ModelStore, root: Path) -> None:
    folder = root / "downloads" / "a"
    provenance = fetched(folder, 1.0)
    inode = (folder / "tiny.gguf").stat().st_ino
    manifest = store.add_fetched(folder, "tiny", provenance, 7.0)
    assert Path(manifest.files[0].path).stat().st_ino == inode


def test_the_content_is_not_read_again(store: ModelStore, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root / "downloads" / "a"
    provenance = fetched(folder, 1.0)
    with (folder / "tiny.gguf").open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"\xff")  # whoever read it would see that this is not the digest
    assert store.add_fetched(folder, "tiny", provenance, 7.0).digest == f"sha256:{provenance.files[0].sha256}"


def test_a_download_may_be_taken_in_twice_and_without_its_files(store: ModelStore, root: Path) -> None:
    folder = root / "downloads" / "a"
    provenance = fetched(folder, 1.0)
    first = store.add_fetched(folder, "tiny", provenance, 7.0)
    assert store.add_fetched(folder, "tiny", provenance, 8.0) == first
    (folder / "tiny.gguf").unlink()
    assert store.add_fetched(folder, "tiny", provenance, 9.0) == first


def test_where_files_have_one_name_only_they_move(
    store: ModelStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("models.store.blobs.os.link", refuse)
    folder = root / "downloads" / "a"
    manifest = store.add_fetched(folder, "tiny", fetched(folder, 1.0), 7.0)
    assert not (folder / "tiny.gguf").exists()
    assert store.changed_files(manifest) == []


def test_the_parts_of_a_model_find_each_other_by_their_names(store: ModelStore, root: Path) -> None:
    manifest = fetch(store, root / "downloads" / "a", "tiny", 1.0, 2.0, 3.0)
    opened = store.opened_path(manifest)
    assert opened.name == "tiny-00001-of-00003.gguf"
    parts = sorted(path.name for path in opened.parent.iterdir())
    assert parts == [f"tiny-{number:05}-of-00003.gguf" for number in (1, 2, 3)]
    assert all(gguf.read_gguf(opened.parent / part).tensors for part in parts)
    assert store.check_integrity() == []


def test_other_content_from_the_same_origin_is_a_new_version(store: ModelStore, root: Path) -> None:
    first = fetch(store, root / "downloads" / "a", "tiny", 1.0)
    second = fetch(store, root / "downloads" / "b", "tiny", 2.0, revision="r2")
    assert (first.version, second.version) == (1, 2)
    assert store.get("tiny") == second
    assert numbers_of(store, "tiny") == [(2, second.digest), (1, first.digest)]
    assert len(blobs(root)) == 2


def test_a_name_of_another_origin_is_not_taken_away(store: ModelStore, root: Path, tmp_path: Path) -> None:
    add(store, write_model(tmp_path / "mine.gguf", 9.0), "tiny")
    folder = root / "downloads" / "a"
    provenance = fetched(folder, 1.0)
    for refused in (
        lambda: store.check_fetchable("tiny", provenance),
        lambda: store.add_fetched(folder, "tiny", provenance, 7.0),
    ):
        with pytest.raises(NameTaken, match="another model is called 'tiny'"):
            refused()
    store.check_fetchable("other", provenance)
    assert blobs(root) == []


def test_a_file_that_was_not_fetched_is_no_part_of_the_model(store: ModelStore, root: Path) -> None:
    folder = root / "downloads" / "a"
    provenance = fetched(folder, 1.0, 2.0)
    fewer = type(provenance)(
        kind="http", reference="https://x.example/tiny.gguf", files=provenance.files[:1], fetched_s=0.0
    )
    with pytest.raises(StoreError, match="not among the files that were fetched"):
        store.add_fetched(folder, "tiny", fewer, 7.0)
    assert names(store) == ["guide:latest"]


def test_a_damaged_copy_is_replaced_by_the_fresh_one(store: ModelStore, root: Path) -> None:
    folder = root / "downloads" / "a"
    provenance = fetched(folder, 1.0)
    first = store.add_fetched(folder, "tiny", provenance, 7.0)
    blob = Path(first.files[0].path)
    (folder / "tiny.gguf").unlink()
    blob.write_bytes(b"rotten")
    assert store.changed_files(first) != []
    again = store.add_fetched(folder, "tiny", fetched(folder, 1.0), 8.0)
    assert store.changed_files(again) == store.check_integrity() == []


def test_a_link_to_a_download_is_followed(tmp_path: Path) -> None:
    blobs_ = Blobs(tmp_path / "blobs")
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"whole")
    link.symlink_to(file)
    path = blobs_.share(link, "0" * 64)
    file.unlink()
    assert (path.is_symlink(), path.read_bytes()) == (False, b"whole")
