"""Models with a projector in the store: it comes along, counts as part of the model, and goes with it."""

import hashlib
from pathlib import Path

import msgspec
import pytest

from models.errors import StoreError
from models.finding.found import Origin
from models.manifest import ModelManifest, ProvenanceFile
from models.store.garbage import GarbagePolicy
from models.store.scrub import scrub
from models.store.store import ModelStore
from tests.tiny_media import write_model, write_projector
from tests.unit.models.store.test_store import blobs
from tests.unit.models.stores import fetched


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_model(folder / "tiny-F16.gguf")
    write_projector(folder / "mmproj-tiny-F32.gguf")
    write_projector(folder / "ears.gguf", "qwen2a")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "home")


def add(store: ModelStore, path: Path, name: str, *, copy: bool = False, projector: str | None = None) -> ModelManifest:
    steps = store.add(path, name, copy, 1000.0, Origin(projector=projector), True)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            manifest: ModelManifest = stop.value
            return manifest


def test_the_projector_beside_a_model_comes_along(store: ModelStore, folder: Path) -> None:
    manifest = add(store, folder / "tiny-F16.gguf", "tiny")
    assert manifest.projector_path == str(folder / "mmproj-tiny-F32.gguf")
    assert manifest.details.media == ("image",)
    assert manifest.details.projector_bytes and manifest.details.projector_bytes < manifest.size_bytes
    assert manifest.size_bytes == sum(
        (folder / name).stat().st_size for name in ("tiny-F16.gguf", "mmproj-tiny-F32.gguf")
    )
    assert store.opened_path(manifest) == folder / "tiny-F16.gguf"


def test_a_model_with_a_projector_is_another_than_without(store: ModelStore, folder: Path) -> None:
    path = folder / "tiny-F16.gguf"
    seeing = add(store, path, "a")
    blind = add(store, path, "b", projector="none")
    hearing = add(store, path, "c", projector=str(folder / "ears.gguf"))
    assert blind.projector_path is None and blind.details.media == ()
    assert hearing.details.media == ("audio",)
    assert len({seeing.digest, blind.digest, hearing.digest}) == 3


def test_what_is_named_has_to_be_a_projector(store: ModelStore, folder: Path) -> None:
    with pytest.raises(StoreError, match="is no projector"):
        add(store, folder / "tiny-F16.gguf", "a", projector=str(folder / "tiny-F16.gguf"))
    with pytest.raises(StoreError, match="does not exist"):
        add(store, folder / "tiny-F16.gguf", "a", projector=str(folder / "none.gguf"))


def test_a_projector_is_no_model(store: ModelStore, folder: Path) -> None:
    with pytest.raises(StoreError, match="is a projector: add the model that reads through it, with --projector"):
        add(store, folder / "mmproj-tiny-F32.gguf", "a")


def test_a_copy_is_scrubbed_kept_and_removed_with_its_model(store: ModelStore, folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    manifest = add(store, folder / "tiny-F16.gguf", "tiny", copy=True)
    assert len(blobs(home)) == 2 and store.check_integrity() == []
    store.collect_garbage(GarbagePolicy(keep_versions=0), 2000.0, is_dry_run=False)
    assert len(blobs(home)) == 2
    projector = Path(str(manifest.projector_path))
    content = projector.read_bytes()
    projector.chmod(0o600)
    projector.write_bytes(content[:-1] + b"x")
    assert "tiny" in scrub([manifest], None, lambda *told: None, 1.0).hurt[0].name
    assert store.remove("tiny") > len(content)
    assert blobs(home) == []


def test_one_that_was_fetched_with_its_model_is_taken_in_whatever_it_is_called(
    store: ModelStore, tmp_path: Path
) -> None:
    folder, name = tmp_path / "files", "mmproj-of-another-name.gguf"
    provenance = fetched(folder, 1.0)
    write_projector(folder / name)
    sha256 = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    files = (*provenance.files, ProvenanceFile(name=name, url=f"https://hub.example/{name}", sha256=sha256))
    manifest = store.add_fetched(folder, "tiny", msgspec.structs.replace(provenance, files=files), 7.0)
    assert [file.is_projector for file in manifest.files] == [False, True]
    assert manifest.projector_path is not None and Path(manifest.projector_path).parent.name == "blobs"
