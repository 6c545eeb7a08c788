"""Uploaded files: whole and of their digest, or not there; and the models that are made of them and of others."""

import hashlib
from pathlib import Path

import pytest

from models.embedded import EMBEDDED_PATH, embedded_manifest
from models.errors import NameTaken, StoreError, UnknownModel
from models.manifest import ModelManifest, ModelPreset, PresetMessage
from models.names import InvalidModelName
from models.store.store import ModelStore
from models.store.uploads import WrongDigest, sha256_of
from tests.unit.models.store.test_store import add, blobs, names, write_model

PRESET = ModelPreset(parent="a", system="Be brief.", messages=(PresetMessage(role="user", content="Hi"),))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(root: Path) -> ModelStore:
    return ModelStore(root)


def upload(store: ModelStore, content: bytes) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    receiving = store.uploads.begin(sha256)
    receiving.write(content[:10])
    receiving.write(content[10:])
    receiving.finish(sha256)
    receiving.close()
    return sha256


def model_bytes(tmp_path: Path, number: float = 1.0) -> bytes:
    return write_model(tmp_path / f"{number}.gguf", number).read_bytes()


def test_a_file_is_there_once_it_is_whole(store: ModelStore, root: Path) -> None:
    sha256 = hashlib.sha256(b"whole").hexdigest()
    receiving = store.uploads.begin(sha256)
    receiving.write(b"who")
    assert store.uploaded_path(sha256) is None
    receiving.write(b"le")
    receiving.finish(sha256)
    receiving.close()
    path = store.uploaded_path(sha256)
    assert path is not None
    assert path.read_bytes() == b"whole"


def test_what_is_not_finished_or_of_another_digest_leaves_nothing(store: ModelStore, root: Path) -> None:
    sha256 = hashlib.sha256(b"whole").hexdigest()
    receiving = store.uploads.begin(sha256)
    receiving.write(b"who")
    with pytest.raises(WrongDigest, match="digest mismatch"):
        receiving.finish(sha256)
    receiving.close()
    assert list((root / "models" / "uploads").iterdir()) == []


def test_an_upload_leaves_room_on_its_disk(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.store.uploads.MIN_FREE_BYTES", 2**60)
    receiving = store.uploads.begin("0" * 64)
    with pytest.raises(StoreError, match="free some"):
        receiving.write(b"x")
    receiving.close()


@pytest.mark.parametrize(
    "digest", ["", "sha256:", "sha256:" + "0" * 63, "sha256:" + "A" * 64, "sha256:../../x", "0" * 64]
)
def test_a_digest_is_64_digits_and_no_path(digest: str) -> None:
    with pytest.raises(StoreError, match="invalid digest"):
        sha256_of(digest)


@pytest.mark.parametrize("separator", [":", "-"])
def test_a_digest_is_written_in_two_ways(separator: str) -> None:
    assert sha256_of(f"sha256{separator}{'0a' * 32}") == "0a" * 32


def test_the_daemons_start_forgets_uploads_that_nobody_used(store: ModelStore, root: Path) -> None:
    sha256 = upload(store, b"x" * 100)
    (root / "models" / "uploads" / ".sha256-0.partial").write_bytes(b"y" * 10)
    assert store.clean() == 110
    assert store.uploaded_path(sha256) is None
    assert list((root / "models" / "uploads").iterdir()) == []


def test_a_file_becomes_a_model_and_leaves_the_uploads(store: ModelStore, root: Path, tmp_path: Path) -> None:
    content = model_bytes(tmp_path)
    sha256 = upload(store, content)
    manifest = store.add_uploaded(sha256, "acme/new:v1", PRESET, 7.0)
    assert (manifest.name, manifest.tag, manifest.preset, manifest.added_s) == ("acme/new", "v1", PRESET, 7.0)
    assert manifest.digest == f"sha256:{sha256}"
    assert blobs(root) == [f"sha256-{sha256}"]
    assert list((root / "models" / "uploads").iterdir()) == []
    assert ModelStore(root).get("acme/new:v1") == manifest
    assert store.changed_files(manifest) == []


def test_a_second_model_is_made_of_the_same_file(store: ModelStore, root: Path, tmp_path: Path) -> None:
    sha256 = upload(store, model_bytes(tmp_path))
    first = store.add_uploaded(sha256, "first", None, 7.0)
    second = store.add_uploaded(sha256, "second", None, 8.0)
    assert first.digest == second.digest
    assert blobs(root) == [f"sha256-{sha256}"]
    assert store.changed_files(first) == store.changed_files(second) == []
    store.remove("first")
    assert store.changed_files(second) == []
    store.remove("second")
    assert blobs(root) == []


def test_a_file_that_is_no_model_stays_an_upload(store: ModelStore, root: Path) -> None:
    sha256 = upload(store, b"no model at all")
    with pytest.raises(StoreError, match="no usable GGUF"):
        store.add_uploaded(sha256, "new", None, 0.0)
    assert names(store) == ["guide:latest"]
    assert store.uploaded_path(sha256) is not None
    with pytest.raises(StoreError, match="was uploaded"):
        store.add_uploaded("0" * 64, "new", None, 0.0)


def test_a_model_is_given_one_more_name(store: ModelStore, tmp_path: Path, root: Path) -> None:
    original = add(store, write_model(tmp_path / "a.gguf"), "a")
    copy = store.derive("a", "b:v2", PRESET, 9.0)
    assert (copy.files, copy.digest, copy.preset, copy.added_s) == (original.files, original.digest, PRESET, 9.0)
    assert names(store) == ["guide:latest", "a:latest", "b:v2"]
    store.remove("a")
    assert ModelStore(root).get("b:v2") == copy


def test_a_blob_lives_as_long_as_one_of_its_names(store: ModelStore, root: Path, tmp_path: Path) -> None:
    add(store, write_model(tmp_path / "a.gguf"), "a", copy=True)
    store.derive("a", "b", None, 0.0)
    store.remove("a")
    assert len(blobs(root)) == 1
    store.remove("b")
    assert blobs(root) == []


def test_the_embedded_model_is_copied_since_it_changes_with_the_appliance(store: ModelStore, root: Path) -> None:
    copy = store.derive("guide", "mine", None, 0.0)
    assert (copy.digest, copy.files[0].role) == (embedded_manifest().digest, "blob")
    assert Path(copy.files[0].path).read_bytes() == EMBEDDED_PATH.read_bytes()
    assert store.changed_files(copy) == []


def test_only_what_was_made_of_another_is_replaced(store: ModelStore, root: Path, tmp_path: Path) -> None:
    for number, name in enumerate(("a", "b")):
        add(store, write_model(tmp_path / f"{name}.gguf", number), name)
    with pytest.raises(NameTaken, match="another model is called 'b'"):
        store.derive("a", "b", PRESET, 0.0)
    store.derive("a", "c", PRESET, 0.0)
    replaced = store.derive("b", "c", PRESET, 0.0)
    assert store.get("c") == replaced
    again: ModelManifest = store.derive("c", "c", None, 0.0)
    assert again.preset is None


@pytest.mark.parametrize(
    ("source", "target", "error"),
    [
        ("nothing", "b", UnknownModel),
        ("guide", "guide", NameTaken),
        ("guide", "guide:mine", NameTaken),
        ("guide", "../b", InvalidModelName),
        ("guide", "b@tvm", InvalidModelName),
        ("guide", "b+lora", InvalidModelName),
    ],
)
def test_a_name_that_cannot_be_given_changes_nothing(
    store: ModelStore, source: str, target: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        store.derive(source, target, None, 0.0)
    assert names(store) == ["guide:latest"]
