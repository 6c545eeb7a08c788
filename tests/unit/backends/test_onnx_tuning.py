"""Changes that make a graph serve better: integer products, tables that stay in the file, and what both then take."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the library is not installed")

import onnx
import onnxruntime as native
from onnx import TensorProto, helper, numpy_helper

from appliance.backends.onnx.graph_view import attribute_of
from appliance.backends.onnx.loaded_size import loaded_bytes
from appliance.backends.onnx.prepared import prepare
from appliance.backends.onnx.tuning import tune
from tests.onnx_shapes import write_decoder

VOCAB, WIDTH, BLOCK = 48, 64, 32
NUM_BLOCKS = VOCAB * WIDTH // BLOCK


def tied(folder: Path, level: int | None = 4, shape: tuple[int, int] = (VOCAB, WIDTH // 2)) -> Any:
    """A table and an output layer over the same packed int4 values in a file beside the graph, as exporters do."""
    random = np.random.default_rng(0)
    packed = random.integers(0, 256, (VOCAB, WIDTH // BLOCK, BLOCK // 2), np.uint8)
    scales = random.random((VOCAB, WIDTH // BLOCK), np.float32) + 0.5
    sizes = {"bits": 4, "block_size": BLOCK}
    levels = {} if level is None else {"accuracy_level": level}
    nodes = [
        helper.make_node("Reshape", ["packed", "shape"], ["table"]),
        helper.make_node(
            "GatherBlockQuantized",
            ["table", "ids", "scales"],
            ["hidden"],
            domain="com.microsoft",
            gather_axis=0,
            quantize_axis=1,
            **sizes,
        ),
        helper.make_node(
            "MatMulNBits",
            ["hidden", "packed", "scales"],
            ["logits"],
            domain="com.microsoft",
            K=WIDTH,
            N=VOCAB,
            **sizes,
            **levels,
        ),
    ]
    tensors = [numpy_helper.from_array(packed, "packed"), numpy_helper.from_array(scales, "scales")]
    tensors.append(numpy_helper.from_array(np.array(shape, np.int64), "shape"))
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "tied",
        [value("ids", TensorProto.INT64, [1, "tokens"])],
        [value("logits", TensorProto.FLOAT, [1, "tokens", VOCAB])],
        tensors,
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    path = folder / "model.onnx"
    onnx.save(model, str(path), save_as_external_data=True, location="model.onnx.data", size_threshold=256)
    return onnx.load(str(path), load_external_data=False)


def logits(model: Any, folder: Path) -> Any:
    options = native.SessionOptions()
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    session = native.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"ids": np.array([[3, 0, 47]], np.int64)})[0]


def test_a_tied_table_is_read_from_the_file_with_the_same_results(tmp_path: Path) -> None:
    model = tied(tmp_path)
    expected = logits(model, tmp_path)
    notes = tune(model.graph)

    assert [node.op_type for node in model.graph.node] == ["GatherBlockQuantized", "MatMulNBits"]
    np.testing.assert_array_equal(logits(model, tmp_path), expected)
    assert notes == ("1 tables are read from the file as they lie there, not from a reshaped copy",)


def test_a_reshape_whose_sizes_are_left_open_stays(tmp_path: Path) -> None:
    model = tied(tmp_path, shape=(-1, WIDTH // 2))

    assert tune(model.graph) == ()
    assert model.graph.node[0].op_type == "Reshape"
    assert logits(model, tmp_path).shape == (1, 3, VOCAB)


@pytest.mark.parametrize("level", [None, 0])
def test_a_product_that_leaves_its_accuracy_open_becomes_one_of_integers(tmp_path: Path, level: int | None) -> None:
    model = tied(tmp_path, level)
    expected = logits(model, tmp_path)
    notes = tune(model.graph)

    assert attribute_of(model.graph.node[-1], "accuracy_level") == 4
    assert any("1 matrices" in note for note in notes)
    assert np.abs(logits(model, tmp_path) - expected).max() < 0.02 * np.abs(expected).max()


def test_a_product_that_asks_for_floats_keeps_them(tmp_path: Path) -> None:
    model = tied(tmp_path, level=1)
    tune(model.graph)

    assert attribute_of(model.graph.node[-1], "accuracy_level") == 1


def test_what_was_done_stands_in_the_layout_of_a_prepared_decoder(tmp_path: Path) -> None:
    source = write_decoder(tmp_path)
    assert prepare(source, tmp_path / "as it came").decoder.notes == ()
    model = onnx.load(str(source), load_external_data=False)
    products = [node for node in model.graph.node if node.op_type == "MatMulNBits"]
    for node in products:
        node.attribute.remove(next(attribute for attribute in node.attribute if attribute.name == "accuracy_level"))
    source.write_bytes(model.SerializeToString())
    layout = prepare(source, tmp_path / "opened").decoder

    assert layout.notes == (
        f"{len(products)} matrices came without an accuracy level: they are multiplied as integers",
    )
    assert layout.is_batch_invariant


def test_a_packed_matrix_counts_once_and_a_table_not_at_all(tmp_path: Path) -> None:
    model = tied(tmp_path)
    tune(model.graph)
    packed_bytes = NUM_BLOCKS * (BLOCK // 2 + 8)
    scales_bytes = NUM_BLOCKS * 4

    assert loaded_bytes(model.graph) == packed_bytes + scales_bytes


def test_float_weights_count_as_they_are(tmp_path: Path) -> None:
    source = write_decoder(tmp_path, weights="f32")
    graph = onnx.load(str(source), load_external_data=False).graph
    table_bytes = next(tensor.dims[0] * tensor.dims[1] * 4 for tensor in graph.initializer if "embed" in tensor.name)
    all_bytes = sum(int(np.prod(tensor.dims, dtype=np.int64)) * 4 for tensor in graph.initializer)

    # A few indices are wider than floats.
    assert abs(all_bytes - table_bytes - loaded_bytes(graph)) <= 64
