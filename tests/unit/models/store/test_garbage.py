"""Garbage collection: what nothing needs is named and deleted, and nothing else."""

import os
from pathlib import Path

import pytest

from models.fetch.downloads import LOCK_FILE, Downloads
from models.store.garbage import MAX_IDLE_DOWNLOAD_S, MAX_IDLE_UPLOAD_S, GarbagePolicy, GarbageReport
from models.store.store import ModelStore
from tests.unit.models.store.test_store import add, blobs, write_model

NOW_S = 1e9


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(root: Path) -> ModelStore:
    return ModelStore(root)


def collect(store: ModelStore, *, keep_downloads: bool = False, is_dry_run: bool = False) -> GarbageReport:
    policy = GarbagePolicy(keep_versions=2, keep_downloads=keep_downloads)
    return store.collect_garbage(policy, NOW_S, is_dry_run=is_dry_run)


def put(path: Path, size_bytes: int, age_s: float = 0.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size_bytes)
    for each in (path, path.parent):
        os.utime(each, (NOW_S - age_s, NOW_S - age_s))
    return path


def test_an_empty_store_has_no_garbage(store: ModelStore) -> None:
    assert collect(store).items == ()


def test_everything_that_nothing_needs_is_found(store: ModelStore, root: Path, tmp_path: Path) -> None:
    kept = add(store, write_model(tmp_path / "a.gguf"), "a", copy=True)
    models = root / "models"
    put(models / "blobs" / "sha256-00", 1)
    put(models / "blobs" / ".incoming-x.partial", 2)
    put(models / "manifests" / ".a+latest.json.77.partial", 4)
    put(models / "uploads" / "sha256-11", 8, MAX_IDLE_UPLOAD_S + 1)
    put(root / "compiled" / "sha256-22" / "avx2" / "code", 16)
    put(models / "folders" / "sha256-33" / "file", 32)
    put(root / "downloads" / "44" / "model.gguf.partial", 64, MAX_IDLE_DOWNLOAD_S + 1)
    dry = collect(store, is_dry_run=True)
    found = {item.kind: item.size_bytes for item in dry.items if item.kind != "partial"}
    assert found == {"blob": 1, "upload": 8, "compiled": 16, "links": 32, "download": 64}
    assert dry.num_bytes == 127
    assert collect(store) == dry
    assert collect(store).items == ()
    assert blobs(root) == [f"sha256-{kept.files[0].sha256}"]
    assert not (root / "downloads" / "44").exists()
    assert store.check_integrity() == []


def test_what_somebody_goes_on_with_stays(store: ModelStore, root: Path, tmp_path: Path) -> None:
    put(root / "models" / "uploads" / "sha256-11", 8, MAX_IDLE_UPLOAD_S - 1)
    put(root / "downloads" / "44" / "model.gguf.partial", 64, MAX_IDLE_DOWNLOAD_S - 1)
    steps = store.add(write_model(tmp_path / "a.gguf"), "a", True, 0.0)
    next(steps)
    assert collect(ModelStore(root)).items == ()
    assert list(steps) == []
    assert store.get("a") is not None


def test_downloads_stay_while_one_of_them_may_go_on(store: ModelStore, root: Path) -> None:
    put(root / "downloads" / "44" / "model.gguf.partial", 64, MAX_IDLE_DOWNLOAD_S + 1)
    assert collect(store, keep_downloads=True).items == ()


def test_a_download_that_somebody_holds_stays_however_old(store: ModelStore, root: Path) -> None:
    with Downloads(root / "downloads").hold("sha256-44", lambda: None) as folder:
        put(folder / "model.gguf", 64, MAX_IDLE_DOWNLOAD_S + 1)
        os.utime(folder / LOCK_FILE, (0, 0))
        os.utime(folder, (0, 0))
        assert collect(store).items == ()
    assert [item.kind for item in collect(store).items] == ["download"]
    assert not folder.exists()


def test_a_manifest_that_cannot_be_read_keeps_every_copy(store: ModelStore, root: Path) -> None:
    put(root / "models" / "blobs" / "sha256-00", 1)
    put(root / "models" / "manifests" / "bad+latest.json", 3)
    report = collect(store)
    assert (report.items, report.num_unreadable) == ((), 1)
    assert blobs(root) == ["sha256-00"]


def test_an_adopted_file_is_no_garbage_whatever_it_is_called(store: ModelStore, root: Path, tmp_path: Path) -> None:
    model = write_model(tmp_path / "a.gguf")
    add(store, model, "a")
    store.remove("a")
    collect(store)
    assert model.exists()
