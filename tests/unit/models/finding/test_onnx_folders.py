"""Folders with ONNX graphs in the store: which files belong to a model, where they are, and what goes with it."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from models.errors import StoreError
from models.manifest import ModelDetails, ModelManifest
from models.store.store import ModelStore
from models.workshop import Examined

DATA = "model.onnx.data"


class FakeWorkshop:
    """Says that the weights lie in the file beside the graph, and notes what it was asked to prepare."""

    def __init__(self, data_files: Iterable[str] = (DATA,)) -> None:
        self.data_files = tuple(data_files)
        self.prepared: list[tuple[Path, Path]] = []
        self.refusal: str | None = None

    def examine(self, graph: Path) -> Examined:
        return Examined(data_files=self.data_files, details=ModelDetails(quantization="int4"))

    def prepare(self, graph: Path, folder: Path) -> None:
        if self.refusal is not None:
            raise StoreError(self.refusal)
        assert all((graph.parent / name).is_file() for name in self.data_files)
        (folder / "onnx-1").mkdir(parents=True, exist_ok=True)
        (folder / "onnx-1" / "graph.onnx").write_bytes(b"12345")
        self.prepared.append((graph, folder))


def write(folder: Path, *names: str) -> Path:
    for name in (*names, "tokenizer.json", "config.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def add(store: ModelStore, path: Path, name: str | None = None, *, copy: bool = False) -> ModelManifest:
    steps = store.add(path, name, copy, 1000.0)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            manifest: ModelManifest = stop.value
            return manifest


def compiled(root: Path) -> list[str]:
    folder = root / "compiled"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def workshop() -> FakeWorkshop:
    return FakeWorkshop()


@pytest.fixture
def store(root: Path, workshop: FakeWorkshop) -> ModelStore:
    return ModelStore(root, {"onnx": workshop})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "Tiny Model", "model.onnx", DATA, "README.md")


def test_a_folder_is_a_model_of_its_graph_its_weights_and_what_tells_of_it(
    store: ModelStore, workshop: FakeWorkshop, root: Path, folder: Path
) -> None:
    manifest = add(store, folder)
    assert (manifest.name, manifest.format, manifest.details.quantization) == ("tiny-model", "onnx", "int4")
    assert [file.name for file in manifest.files] == ["model.onnx", DATA, "config.json", "tokenizer.json"]
    assert store.opened_path(manifest) == folder / "model.onnx"
    assert workshop.prepared == [(folder / "model.onnx", store.compiled_path(manifest))]
    assert compiled(root) == [manifest.digest.replace(":", "-")]


def test_of_several_graphs_one_is_chosen_and_the_choice_is_told(store: ModelStore, tmp_path: Path) -> None:
    labels = ("", "_fp16", "_int8", "_q4", "_q4f16")
    names = [f"onnx/model{label}.onnx" for label in labels]
    folder = write(tmp_path / "several", *names, f"onnx/{DATA}")
    chosen = add(store, folder)
    assert chosen.files[0].name == "onnx/model_q4.onnx"
    assert chosen.choice is not None and chosen.choice.startswith("onnx/model_q4.onnx of 5 graphs: on a processor")
    named = add(store, folder / "onnx" / "model_int8.onnx", "several:int8")
    assert (named.files[0].name, named.choice) == ("onnx/model_int8.onnx", None)


def test_where_no_graph_suits_a_processor_they_are_named(store: ModelStore, tmp_path: Path) -> None:
    folder = write(tmp_path / "halves", "onnx/model_fp16.onnx", "onnx/model_q4f16.onnx")
    with pytest.raises(StoreError, match=r"name one of onnx/model_fp16\.onnx, onnx/model_q4f16\.onnx"):
        add(store, folder)


def test_a_download_cache_of_links_is_read_through_them(store: ModelStore, tmp_path: Path) -> None:
    real = write(tmp_path / "blobs", "model.onnx", DATA)
    snapshot = tmp_path / "models--acme--Tiny-Chat" / "snapshots" / "0a1b2c"
    snapshot.mkdir(parents=True)
    for number, path in enumerate(sorted(real.iterdir())):
        hashed = path.rename(real / f"blob{number}")
        (snapshot / path.name).symlink_to(os.path.relpath(hashed, snapshot))
    manifest = add(store, snapshot)
    assert manifest.name == "tiny-chat"
    assert store.opened_path(manifest) == snapshot / "model.onnx"
    assert store.changed_files(manifest) == []


def test_a_folder_that_may_not_be_written_to_is_no_hindrance(store: ModelStore, folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in [folder, *folder.iterdir()]}
    folder.chmod(0o555)
    add(store, folder)
    assert {path: path.stat().st_mtime_ns for path in [folder, *folder.iterdir()]} == before


def test_a_copied_folder_outlives_its_source_under_the_names_it_had(
    store: ModelStore, workshop: FakeWorkshop, root: Path, tmp_path: Path
) -> None:
    folder = write(tmp_path / "source", "onnx/model_q4.onnx", f"onnx/{DATA}")
    manifest = add(store, folder, "mine", copy=True)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    opened = store.opened_path(manifest)
    assert opened.relative_to(root).parts[-2:] == ("onnx", "model_q4.onnx")
    assert opened.read_bytes() == b"onnx/model_q4.onnx"
    assert (opened.parent / DATA).read_bytes() == f"onnx/{DATA}".encode()
    assert (opened.parent.parent / "tokenizer.json").read_bytes() == b"tokenizer.json"
    assert workshop.prepared[-1][0] == opened
    assert store.changed_files(manifest) == []


def test_the_last_name_of_a_model_takes_everything_with_it(store: ModelStore, root: Path, folder: Path) -> None:
    manifest = add(store, folder, "one", copy=True)
    add(store, folder, "two", copy=True)
    assert store.remove("one") == 0
    assert compiled(root) and store.opened_path(manifest).is_file()
    assert store.remove("two") == sum(file.size_bytes for file in manifest.files) + len(b"12345")
    assert compiled(root) == []
    assert not list((root / "models" / "folders").iterdir())
    assert not list((root / "models" / "blobs").iterdir())


def test_what_is_compiled_without_a_model_is_cleaned_up(store: ModelStore, root: Path, folder: Path) -> None:
    manifest = add(store, folder)
    orphan = root / "compiled" / "sha256-00" / "onnx-1"
    orphan.mkdir(parents=True)
    (orphan / "graph.onnx").write_bytes(b"123")
    assert store.clean() == 3
    assert compiled(root) == [manifest.digest.replace(":", "-")]


def test_every_file_is_watched(store: ModelStore, folder: Path) -> None:
    manifest = add(store, folder)
    (folder / "tokenizer.json").write_bytes(b"another one")
    (folder / DATA).unlink()
    changes = store.changed_files(manifest)
    assert len(changes) == 2 and "No such file" in changes[0] and "tokenizer.json: had" in changes[1]


def test_a_model_that_cannot_be_prepared_leaves_nothing(
    store: ModelStore, workshop: FakeWorkshop, root: Path, folder: Path
) -> None:
    workshop.refusal = "the key-value cache is float16"
    with pytest.raises(StoreError, match="float16"):
        add(store, folder, copy=True)
    assert [manifest.name for manifest in store.list()] == ["guide"]
    assert compiled(root) == []
    assert not list((root / "models" / "blobs").iterdir())


@pytest.mark.parametrize(
    ("left_out", "reason"),
    [
        ("tokenizer.json", "no tokenizer.json"),
        (DATA, f"{DATA} does not exist"),
        ("model.onnx", "without an ONNX graph"),
    ],
)
def test_what_is_missing_is_named(store: ModelStore, folder: Path, left_out: str, reason: str) -> None:
    (folder / left_out).unlink()
    with pytest.raises(StoreError, match=reason):
        add(store, folder)


def test_weights_outside_the_folder_are_refused(root: Path, folder: Path) -> None:
    store = ModelStore(root, {"onnx": FakeWorkshop(["../elsewhere.data"])})
    with pytest.raises(StoreError, match="lie outside"):
        add(store, folder)


def test_without_a_reader_of_graphs_they_are_refused(root: Path, folder: Path) -> None:
    with pytest.raises(StoreError, match="nothing is installed here that reads"):
        add(ModelStore(root), folder)
