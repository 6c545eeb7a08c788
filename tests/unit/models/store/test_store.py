"""The store: models come in whole or not at all, and nothing that belongs to others is ever deleted."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from models.errors import NameTaken, StoreError, UnknownModel
from models.formats.gguf_writer import Tensor, write_gguf
from models.manifest import ModelManifest
from models.names import InvalidModelName
from models.store.intake import AddProgress
from models.store.store import ModelStore


def write_model(path: Path, number: float = 1.0) -> Path:
    values = np.full((4, 32), number, np.float32)
    write_gguf(path, {"general.architecture": "qwen2"}, [Tensor("t", values.shape, "F32", lambda: [values])])
    return path


def add(store: ModelStore, path: Path, name: str | None = None, *, copy: bool = False) -> ModelManifest:
    steps = store.add(path, name, copy, 1000.0)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            manifest: ModelManifest = stop.value
            return manifest


def names(store: ModelStore) -> list[str]:
    return [f"{manifest.name}:{manifest.tag}" for manifest in store.list()]


def blobs(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "models" / "blobs").iterdir())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def store(root: Path) -> ModelStore:
    return ModelStore(root)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "My Model.gguf")


def test_an_empty_store_has_the_embedded_model_and_touches_no_disk(store: ModelStore, root: Path) -> None:
    assert names(store) == ["guide:latest"]
    assert store.get("GUIDE") is store.list()[0]
    assert not root.exists()


def test_an_adopted_model_stays_where_it_is(store: ModelStore, root: Path, model: Path) -> None:
    manifest = add(store, model)
    assert (manifest.name, manifest.tag, manifest.added_s) == ("my-model", "latest", 1000.0)
    assert manifest.files[0].path == str(model.resolve())
    assert manifest.files[0].role == "adopted"
    assert manifest.digest == f"sha256:{manifest.files[0].sha256}"
    assert manifest.details.num_parameters == 128
    assert blobs(root) == []
    assert ModelStore(root).get("My-Model@Q8_0") == manifest


def test_progress_reaches_the_size_of_the_file(store: ModelStore, model: Path) -> None:
    size_bytes = model.stat().st_size
    assert list(store.add(model, None, False, 0.0))[-1] == AddProgress(size_bytes, size_bytes, model.name)


def test_a_link_is_followed_once_and_for_all(store: ModelStore, model: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.gguf"
    link.symlink_to(model)
    manifest = add(store, link)
    assert manifest.name == "link"
    assert manifest.files[0].path == str(model.resolve())


def test_a_copied_model_outlives_its_source(store: ModelStore, root: Path, model: Path) -> None:
    content = model.read_bytes()
    manifest = add(store, model, "lab/mine:v1", copy=True)
    model.unlink()
    assert blobs(root) == [f"sha256-{manifest.files[0].sha256}"]
    assert Path(manifest.files[0].path).read_bytes() == content
    assert store.changed_files(manifest) == []
    assert names(store) == ["guide:latest", "lab/mine:v1"]


def test_adding_the_same_again_changes_nothing(store: ModelStore, root: Path, model: Path) -> None:
    first = add(store, model, copy=True)
    written = {path: path.stat() for path in root.rglob("*.json")}
    assert add(store, model, copy=True) == first
    assert {path: path.stat() for path in root.rglob("*.json")} == written


def test_a_moved_model_can_be_added_again_from_its_new_place(store: ModelStore, model: Path, tmp_path: Path) -> None:
    add(store, model, "mine")
    moved = model.rename(tmp_path / "elsewhere.gguf")
    assert add(store, moved, "mine").files[0].path == str(moved.resolve())


def test_another_model_under_the_same_name_is_refused(store: ModelStore, model: Path, tmp_path: Path) -> None:
    add(store, model, "mine")
    other = write_model(tmp_path / "other.gguf", 2.0)
    with pytest.raises(NameTaken, match=r"remove it first .* or choose a tag \(--name mine:TAG\)"):
        add(store, other, "mine")
    assert add(store, other, "mine:two").tag == "two"


@pytest.mark.parametrize("name", ["guide", "Guide:other"])
def test_the_embedded_model_s_name_is_not_given_away(store: ModelStore, model: Path, name: str) -> None:
    with pytest.raises(NameTaken, match="embedded"):
        add(store, model, name)


@pytest.mark.parametrize("name", ["../x", "a+b", "a@Q8_0"])
def test_a_model_is_added_under_a_plain_name_only(store: ModelStore, model: Path, name: str) -> None:
    with pytest.raises(InvalidModelName):
        add(store, model, name)
    assert names(store) == ["guide:latest"]


def test_names_that_look_alike_do_not_share_a_manifest(store: ModelStore, model: Path) -> None:
    for name in ("a/b", "a:b", "a.b", "a/b.json", "a"):
        add(store, model, name)
    assert names(store)[1:] == ["a:b", "a:latest", "a.b:latest", "a/b:latest", "a/b.json:latest"]


def test_what_is_no_model_is_refused_in_one_sentence(store: ModelStore, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.gguf"
    garbage.write_bytes(b"no model at all, but long enough")
    with pytest.raises(StoreError, match="is no usable GGUF file: not a GGUF file"):
        add(store, garbage)
    with pytest.raises(StoreError, match="does not exist"):
        add(store, tmp_path / "absent.gguf")
    with pytest.raises(StoreError, match="is a folder"):
        add(store, tmp_path)


def test_a_file_that_cannot_be_read_names_the_mending_command(
    store: ModelStore, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")  # as root no file mode would do it

    monkeypatch.setattr("models.finding.gguf_files.read_gguf", refuse)
    with pytest.raises(StoreError, match=r"chmod a\+r .* or add it with --copy"):
        add(store, model)


def test_a_file_that_changes_while_it_is_read_is_refused(store: ModelStore, root: Path, model: Path) -> None:
    steps = store.add(model, None, True, 0.0)
    next(steps)
    os.utime(model, ns=(1, 1))
    with pytest.raises(StoreError, match="changed while it was read"):
        next(steps)
    assert blobs(root) == []
    assert names(store) == ["guide:latest"]


def test_an_addition_that_is_given_up_leaves_nothing(store: ModelStore, root: Path, model: Path) -> None:
    steps = store.add(model, None, True, 0.0)
    next(steps)
    assert len(blobs(root)) == 1
    steps.close()
    assert blobs(root) == []
    assert names(store) == ["guide:latest"]


def test_a_copy_needs_the_space_first(store: ModelStore, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        free = 0

    monkeypatch.setattr("models.store.intake.shutil.disk_usage", lambda _: Full)
    with pytest.raises(StoreError, match=r"0\.0 GiB are free"):
        add(store, model, copy=True)
    add(store, model)


def test_all_parts_of_a_split_model_belong_to_it(store: ModelStore, tmp_path: Path) -> None:
    parts = [write_model(tmp_path / f"Big-{number:05}-of-00003.gguf", number) for number in (1, 2, 3)]
    manifest = add(store, parts[1])
    assert manifest.name == "big"
    assert [file.path for file in manifest.files] == [str(part.resolve()) for part in parts]
    assert manifest.details.num_parameters == 3 * 128
    assert manifest.size_bytes == sum(part.stat().st_size for part in parts)
    assert manifest.digest != f"sha256:{manifest.files[0].sha256}"


def test_a_missing_part_is_named(store: ModelStore, tmp_path: Path) -> None:
    write_model(tmp_path / "big-00001-of-00003.gguf")
    third = write_model(tmp_path / "big-00003-of-00003.gguf")
    with pytest.raises(StoreError, match=r"has 3 parts, big-00002-of-00003\.gguf is not beside"):
        add(store, third)


@pytest.mark.parametrize("file_name", ["big-00000-of-00000.gguf", "big-00004-of-00003.gguf"])
def test_a_number_that_cannot_be_a_part_s_is_only_a_name(store: ModelStore, tmp_path: Path, file_name: str) -> None:
    assert len(add(store, write_model(tmp_path / file_name)).files) == 1


def test_removing_an_adopted_model_leaves_the_file(store: ModelStore, model: Path) -> None:
    add(store, model, "mine")
    assert store.remove("mine") == 0
    assert model.exists()
    assert store.get("mine") is None


def test_a_blob_goes_with_the_last_model_that_uses_it(store: ModelStore, root: Path, model: Path) -> None:
    add(store, model, "one", copy=True)
    add(store, model, "two", copy=True)
    assert store.remove("one") == 0
    assert len(blobs(root)) == 1
    assert store.remove("two") == model.stat().st_size
    assert blobs(root) == []


def test_the_embedded_model_cannot_be_removed(store: ModelStore) -> None:
    with pytest.raises(StoreError, match="part of the appliance"):
        store.remove("guide")
    assert names(store) == ["guide:latest"]


@pytest.mark.parametrize("name", ["absent", "mine+tone", "mine@Q8_0"])
def test_removing_what_is_not_there_is_an_error(store: ModelStore, model: Path, name: str) -> None:
    add(store, model, "mine")
    with pytest.raises(UnknownModel, match="no model is called"):
        store.remove(name)
    assert store.get("mine") is not None


def test_a_file_that_changed_since_is_named(store: ModelStore, model: Path) -> None:
    manifest = add(store, model)
    os.utime(model, ns=(1, 1))
    assert store.changed_files(manifest) == [f"{model.resolve()}: was written to after it was added"]
    model.write_bytes(b"short")
    assert "had" in store.changed_files(manifest)[0]
    model.unlink()
    assert "No such file" in store.changed_files(manifest)[0]


def test_a_damaged_manifest_is_left_out_and_keeps_every_blob(
    store: ModelStore, root: Path, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add(store, model, "good")
    add(store, model, "bad", copy=True)
    (root / "models" / "manifests" / "bad+latest.json").write_text('{"name": "ba')
    assert names(store) == ["guide:latest", "good:latest"]
    assert "bad+latest.json cannot be read" in caplog.text
    store.remove("good")
    assert len(blobs(root)) == 1


def test_a_manifest_of_a_later_version_is_left_out(store: ModelStore, root: Path, model: Path) -> None:
    add(store, model, "mine")
    path = root / "models" / "manifests" / "mine+latest.json"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    assert store.get("mine") is None
    assert names(store) == ["guide:latest"]


def test_a_manifest_written_by_another_process_is_seen(store: ModelStore, root: Path, model: Path) -> None:
    assert names(store) == ["guide:latest"]
    add(ModelStore(root), model, "mine")
    assert names(store) == ["guide:latest", "mine:latest"]
    ModelStore(root).remove("mine")
    assert names(store) == ["guide:latest"]


def test_a_manifest_is_read_once_and_again_when_it_was_replaced(
    store: ModelStore, root: Path, model: Path, tmp_path: Path
) -> None:
    first = add(store, model, "mine")
    assert store.list()[1] is store.list()[1]
    other = ModelStore(root)
    other.remove("mine")
    second = add(other, write_model(tmp_path / "other.gguf", 2.0), "mine")
    assert first.digest != second.digest
    assert store.list()[1] == second


def test_what_a_killed_process_left_is_cleaned_up(store: ModelStore, root: Path, model: Path) -> None:
    kept = add(store, model, "kept", copy=True)
    folder = root / "models" / "blobs"
    (folder / ".incoming-abc.partial").write_bytes(b"12345")
    (folder / "sha256-00").write_bytes(b"123")
    assert store.clean() == 8
    assert blobs(root) == [f"sha256-{kept.files[0].sha256}"]


def test_a_copy_that_is_still_being_made_is_not_cleaned_up(store: ModelStore, root: Path, model: Path) -> None:
    steps = store.add(model, "mine", True, 0.0)
    next(steps)
    assert ModelStore(root).clean() == 0
    assert list(steps) == []
    assert store.get("mine") is not None


def test_a_kill_in_the_middle_of_an_addition_leaves_a_store_that_works(
    store: ModelStore, root: Path, model: Path
) -> None:
    child = os.fork()
    if child == 0:
        steps = store.add(model, "mine", True, 0.0)
        next(steps)
        os._exit(9)
    os.waitpid(child, 0)
    assert names(store) == ["guide:latest"]
    assert len(blobs(root)) == 1
    store.clean()
    assert blobs(root) == []
    assert add(store, model, "mine", copy=True).name == "mine"


def test_a_thousand_models_are_listed_from_memory(store: ModelStore, root: Path, model: Path) -> None:
    add(store, model, "m0")
    first = root / "models" / "manifests" / "m0+latest.json"
    for number in range(1, 1000):
        first.with_name(f"m{number}+latest.json").write_text(first.read_text().replace('"m0"', f'"m{number}"'))
    assert len(store.list()) == 1001
    began_s = time.process_time()
    store.list()
    assert time.process_time() - began_s < 0.05  # about 0.005 on a quiet machine


def test_a_folder_that_has_not_changed_for_a_while_is_not_read_again(
    store: ModelStore, root: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, model, "mine")
    folder = root / "models" / "manifests"
    os.utime(folder, (1000, 1000))
    assert names(store) == ["guide:latest", "mine:latest"]
    with monkeypatch.context() as patched:
        patched.setattr("models.store.manifests.os.scandir", lambda _: pytest.fail("it was read again"))
        assert names(store) == ["guide:latest", "mine:latest"]
    ModelStore(root).alias("mine", "other", 0.0)
    assert names(store) == ["guide:latest", "mine:latest", "other:latest"]


def test_what_a_list_is_made_of_belongs_to_whoever_asked(store: ModelStore, root: Path, model: Path) -> None:
    add(store, model, "mine")
    os.utime(root / "models" / "manifests", (1000, 1000))
    store.list().clear()
    assert names(store) == ["guide:latest", "mine:latest"]


def test_a_copy_that_another_model_shares_stays_unchanged(tmp_path: Path) -> None:
    store, path = ModelStore(tmp_path / "home"), write_model(tmp_path / "m.gguf")
    first = add(store, path, "first", copy=True)
    os.utime(path, (1, 1))
    second = add(store, path, "second", copy=True)

    assert store.changed_files(first) == store.changed_files(second) == []


def test_a_file_in_a_closed_folder_is_refused_with_what_opens_it(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", closed)
    with pytest.raises(StoreError, match=r"cannot read .*chmod a\+r"):
        list(store.add(tmp_path / "closed" / "a.gguf", "a", False, 0.0))
