"""Hugging Face folders in the store: which files belong to a model, and what is said of it."""

from pathlib import Path

import pytest

from models.errors import StoreError
from models.manifest import ModelManifest
from models.store.store import ModelStore
from tests.onnx_shapes import write_decoder
from tests.tiny_decoders import DECODERS, TinyDecoder
from tests.tiny_folders import write_tiny_folder

QWEN3 = next(decoder for decoder in DECODERS if decoder.architecture == "qwen3")


def add(store: ModelStore, path: Path, *, copy: bool = False) -> ModelManifest:
    steps = store.add(path, None, copy, 1000.0)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            manifest: ModelManifest = stop.value
            return manifest


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "home")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_folder(tmp_path / "Tiny-Qwen3", QWEN3, dtype="BF16", num_parts=2).parent


def test_a_folder_is_a_model_of_its_parts_and_what_tells_of_it(store: ModelStore, folder: Path) -> None:
    (folder / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n# Tiny\nlicense: mit\n")
    manifest = add(store, folder)
    assert (manifest.format, manifest.name) == ("safetensors", "tiny-qwen3")
    assert [file.name for file in manifest.files] == [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    details = manifest.details
    assert (details.architecture, details.quantization, details.licence) == ("qwen3", "BF16", "apache-2.0")
    assert (details.num_layers, details.total_kv_heads, details.key_length) == (2, 4, 64)
    assert details.num_parameters is not None and details.weights_bytes == 2 * details.num_parameters
    assert details.has_chat_template and details.task == "generate"


@pytest.mark.parametrize("name", ["model-00002-of-00002.safetensors", "model.safetensors.index.json", "."])
def test_any_of_its_files_names_the_whole_model(store: ModelStore, folder: Path, name: str) -> None:
    assert len(add(store, folder / name).files) == 6


def test_a_copy_is_opened_by_the_name_that_its_files_have_in_the_folder(store: ModelStore, folder: Path) -> None:
    opened = store.opened_path(add(store, folder, copy=True))
    assert opened.name == "model-00001-of-00002.safetensors"
    assert not opened.is_relative_to(folder)
    assert (opened.parent / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()


def test_a_part_or_a_tokenizer_that_is_missing_is_named(store: ModelStore, folder: Path) -> None:
    (folder / "model-00002-of-00002.safetensors").rename(folder / "elsewhere")
    with pytest.raises(StoreError, match=r"2 parts, model-00002-of-00002\.safetensors is not among"):
        add(store, folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(StoreError, match=r"no tokenizer\.json"):
        add(store, folder)


def test_weights_that_cannot_be_what_they_say_are_refused(store: ModelStore, folder: Path) -> None:
    part = folder / "model-00001-of-00002.safetensors"
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(StoreError, match=r"model-00001-of-00002\.safetensors: the file is cut short"):
        add(store, folder)


def test_where_there_is_a_graph_the_folder_is_one_of_graphs(store: ModelStore, tmp_path: Path) -> None:
    folder = write_decoder(tmp_path / "graph", weights="f32").parent
    write_tiny_folder(folder, TinyDecoder("both", "qwen2"))
    with pytest.raises(StoreError, match="nothing is installed here that reads"):
        add(store, folder)


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: other\nlicense_name: qwen-research\n---\n", "qwen-research"),
        ("---\nlicense: other\n---\n", "other"),
        ("---\nlicense: 'mit'\n", "mit"),
        ("# No fields\nlicense: mit\n", None),
        ("---\nlicense:\n- mit\n---\n", None),
        ("", None),
    ],
)
def test_a_licence_is_what_the_fields_of_the_card_say(
    store: ModelStore, folder: Path, card: str, licence: str | None
) -> None:
    (folder / "README.md").write_text(card)
    assert add(store, folder).details.licence == licence
