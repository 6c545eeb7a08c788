"""Models in ONNX on their way in: what the child process says of them, and what it says of those that cannot serve."""

from pathlib import Path

import pytest

from appliance.backends.onnx import workshop as module
from appliance.backends.onnx.prepared import folder_in, open_prepared, prepare
from appliance.backends.onnx.workshop import OnnxWorkshop
from appliance.backends.registry import WORKSHOPS
from models.errors import StoreError
from models.store.store import ModelStore
from tests.onnx_shapes import write_decoder


def test_a_decoder_is_examined_and_prepared_beside_its_weights(tmp_path: Path) -> None:
    graph = write_decoder(tmp_path / "model")
    examined = OnnxWorkshop().examine(graph)
    assert examined.data_files == ("model.onnx.data",)
    details = examined.details
    assert (details.architecture, details.quantization, details.has_chat_template) == ("qwen2", "int4", True)
    assert details.weights_bytes == (graph.parent / "model.onnx.data").stat().st_size
    assert details.total_kv_heads and details.key_length and details.num_parameters
    OnnxWorkshop().prepare(graph, tmp_path / "compiled")
    prepared = open_prepared(graph, folder_in(tmp_path / "compiled"))
    assert prepared is not None and prepared.weights_folder == graph.parent
    assert prepared.layout.vocab_size == details.vocab_size


def test_a_copied_model_is_prepared_on_the_copies(tmp_path: Path) -> None:
    graph = write_decoder(tmp_path / "model", layout="transformers.js")
    store = ModelStore(tmp_path / "home", WORKSHOPS)
    for _ in store.add(graph.parent.parent, "mine", True, 1.0):
        pass
    manifest = store.get("mine")
    assert manifest is not None
    prepared = open_prepared(store.opened_path(manifest), folder_in(store.compiled_path(manifest)))
    assert prepared is not None
    assert prepared.weights_folder == tmp_path / "home" / "models" / "blobs"


def test_what_was_prepared_of_another_file_is_made_anew(tmp_path: Path) -> None:
    graph = write_decoder(tmp_path / "model")
    prepare(graph, tmp_path / "compiled")
    assert open_prepared(graph, tmp_path / "compiled") is not None
    moved = (tmp_path / "model").rename(tmp_path / "moved") / graph.name
    assert open_prepared(moved, tmp_path / "compiled") is None


def test_a_file_that_is_no_graph_is_refused_in_one_line(tmp_path: Path) -> None:
    graph = tmp_path / "model.onnx"
    graph.write_bytes(b"no graph at all")
    with pytest.raises(StoreError, match="is no usable ONNX file") as caught:
        OnnxWorkshop().examine(graph)
    assert "\n" not in str(caught.value) and "Traceback" not in str(caught.value)


def test_a_graph_whose_weights_lie_elsewhere_never_reaches_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = write_decoder(tmp_path / "model")
    graph.write_bytes(graph.read_bytes().replace(b"model.onnx.data", b"../../etc/passwd"[:15]))
    monkeypatch.setattr(module, "PROGRAM", "a_program_that_is_not_there")
    with pytest.raises(StoreError, match="outside the folder of the graph"):
        OnnxWorkshop().examine(graph)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    graph = write_decoder(tmp_path / "model")
    (graph.parent / "model.onnx.data").unlink()
    with pytest.raises(StoreError, match=r"model\.onnx\.data is missing"):
        OnnxWorkshop().examine(graph)


def test_a_reader_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="it took longer than 0 s"):
        OnnxWorkshop(timeout_s=0.01).examine(write_decoder(tmp_path / "model"))


@pytest.mark.parametrize(
    ("program", "reason"),
    [("import os; os.kill(os.getpid(), 9)", "ended by signal 9"), ("1 / 0", "ZeroDivisionError")],
)
def test_a_reader_that_dies_is_an_error_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, reason: str
) -> None:
    (tmp_path / "dying_reader.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(module, "PROGRAM", "dying_reader")
    with pytest.raises(StoreError, match=reason):
        OnnxWorkshop().examine(write_decoder(tmp_path / "model"))
