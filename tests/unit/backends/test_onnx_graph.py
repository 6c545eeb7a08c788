"""What an exported decoder becomes, and everything that is named when it cannot be served."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from appliance.backends.base import Batch, Run
from appliance.backends.loading import open_backend
from appliance.backends.onnx.graph import NotServable, prepare_decoder, read_graph
from tests.onnx_graph_writer import Weights
from tests.onnx_shapes import HEAD_WIDTH, KV_HEADS, LAYERS, decoder_model, encoder_model, save, write_decoder
from tests.unit.backends.plans import plan_of

PROMPT = np.arange(40, 60, dtype=np.int32)


def missing_of(model: Any, head_width: int | None = None) -> tuple[str, ...]:
    with pytest.raises(NotServable) as caught:
        prepare_decoder(model, head_width)
    return caught.value.missing


def rows_of(folder: Path, model: Any, num_outputs: int = 3) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the last rows of a prompt, computed through the adapter."""
    graph = save(model, write_decoder(folder / "model", weights="f32"))
    plan = plan_of("onnx", "onnx", str(graph), compiled_path=str(folder / "compiled"))
    loaded = open_backend("onnx").load(plan, lambda ratio: None)
    rows = loaded.step(Batch((Run(0, 0, PROMPT, num_outputs),))).logits[0].copy()
    loaded.close()
    return rows


def output_layer(model: Any) -> Any:
    return next(node for node in model.graph.node if "logits" in node.output)


def put_before(model: Any, node: Any, *added: Any) -> None:
    index = list(model.graph.node).index(node)
    for offset, one in enumerate(added):
        model.graph.node.insert(index + offset, one)


def add_weight(model: Any, name: str, values: object, kind: type) -> str:
    model.graph.initializer.append(numpy_helper.from_array(np.array(values, kind), name))
    return name


def expected_rows(tmp_path: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    return rows_of(tmp_path / "plain", decoder_model(weights="f32"))


@pytest.mark.parametrize(
    ("weights", "block_size", "weight_type", "is_invariant"),
    [
        ("f32", 32, "F32", True),
        ("int4", 32, "int4", True),
        ("int4", 128, "int4", False),
        ("dynamic", 32, "int8", False),
    ],
)
def test_a_decoder_is_described(weights: Weights, block_size: int, weight_type: str, is_invariant: bool) -> None:
    layout = prepare_decoder(decoder_model(weights=weights, block_size=block_size), None)
    assert (layout.weight_type, layout.is_batch_invariant, layout.vocab_size) == (weight_type, is_invariant, 512)
    assert layout.kv_bytes_per_token == LAYERS * 2 * KV_HEADS * HEAD_WIDTH * 4
    assert not layout.has_position_ids


def test_int4_that_is_multiplied_as_floats_is_not_taken_for_batch_invariant() -> None:
    model = decoder_model()
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "accuracy_level":
                attribute.i = 1
    assert not prepare_decoder(model, None).is_batch_invariant


def test_the_mask_and_all_that_was_made_of_it_is_gone() -> None:
    model = decoder_model()
    prepare_decoder(model, None)
    assert "attention_mask" not in {value.name for value in model.graph.input}
    assert not {"ReduceSum", "Shape", "Sub", "Cast"} & {node.op_type for node in model.graph.node}


def test_positions_are_fed_to_graphs_that_rotate_outside_of_attention(tmp_path: Path) -> None:
    rotated = rows_of(tmp_path, decoder_model(weights="f32", position_ids=True))
    np.testing.assert_allclose(rotated, expected_rows(tmp_path), atol=1e-5)


def test_a_width_that_the_graph_leaves_open_comes_from_the_configuration() -> None:
    model = decoder_model()
    for value in model.graph.input:
        if value.name.startswith("past"):
            value.type.tensor_type.shape.dim[3].dim_param = "kv_cache_dim"
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    assert prepare_decoder(model, HEAD_WIDTH).layers[0].head_width == HEAD_WIDTH
    assert all("the number of heads or their width is not fixed" in text for text in missing_of(copy))


@pytest.mark.parametrize("exporter", ["gather and unsqueeze", "slice with an input"])
def test_all_rows_can_be_had_of_a_graph_that_kept_the_last_one(tmp_path: Path, exporter: str) -> None:
    model = decoder_model(weights="f32")
    layer = output_layer(model)
    one = add_weight(model, "one", [1], np.int64)
    if exporter == "slice with an input":
        model.graph.input.append(helper.make_tensor_value_info("num_logits_to_keep", TensorProto.INT64, [1]))
        end = add_weight(model, "end", [2**62], np.int64)
        nodes = [
            helper.make_node("Neg", ["num_logits_to_keep"], ["begin"]),
            helper.make_node("Slice", [layer.input[0], "begin", end, one], ["kept"]),
        ]
    else:
        last = add_weight(model, "last", -1, np.int64)
        nodes = [
            helper.make_node("Gather", [layer.input[0], last], ["flat"], axis=1),
            helper.make_node("Unsqueeze", ["flat", one], ["kept"]),
        ]
    put_before(model, layer, *nodes)
    layer.input[0] = "kept"
    np.testing.assert_array_equal(rows_of(tmp_path, model), expected_rows(tmp_path))


def test_a_soft_cap_behind_the_output_layer_stays(tmp_path: Path) -> None:
    model = decoder_model(weights="f32")
    layer = output_layer(model)
    layer.output[0] = "raw"
    cap = add_weight(model, "cap", 2.0, np.float32)
    model.graph.node.extend(
        [
            helper.make_node("Div", ["raw", cap], ["scaled"]),
            helper.make_node("Tanh", ["scaled"], ["bounded"]),
            helper.make_node("Mul", ["bounded", cap], ["logits"]),
        ]
    )
    expected = 2 * np.tanh(expected_rows(tmp_path) / 2)
    np.testing.assert_allclose(rows_of(tmp_path, model), expected, atol=1e-6)


def test_rows_are_selected_before_activations_are_quantized() -> None:
    model = decoder_model(weights="dynamic")
    prepare_decoder(model, None)
    readers = [node.op_type for node in model.graph.node if "selected_hidden" in node.input]
    assert readers == ["DynamicQuantizeLinear"]


def test_everything_that_is_missing_is_named_at_once() -> None:
    model = decoder_model()
    for value in model.graph.input:
        if value.name.startswith("past"):
            value.type.tensor_type.elem_type = TensorProto.FLOAT16
    model.graph.output[-1].type.tensor_type.elem_type = TensorProto.FLOAT16
    add = next(node for node in model.graph.node if node.op_type == "Add")
    model.graph.input.append(helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, [1]))
    put_before(model, add, helper.make_node("Add", [add.input[0], "pixel_values"], ["seen"]))
    add.input[0] = "seen"
    assert missing_of(model) == (
        "the key-value cache is float16: on a processor it must be float (32 bits)",
        "the logits are not float (32 bits): the file is made for another device",
        "the input 'pixel_values' has no meaning here",
    )


def test_a_mask_that_does_more_than_tell_lengths_is_named() -> None:
    model = decoder_model()
    gather = next(node for node in model.graph.node if node.op_type == "Gather" and "input_ids" in node.input)
    put_before(model, gather, helper.make_node("Mul", ["input_ids", "attention_mask"], ["masked"]))
    gather.input[1] = "masked"
    assert missing_of(model) == ("the attention mask is used for more than the lengths of the rows",)


def test_an_output_layer_that_is_not_known_is_named() -> None:
    model = decoder_model(weights="f32")
    output_layer(model).op_type = "Einsum"
    assert missing_of(model) == ("the output layer is not known: the logits come from a Einsum",)


def test_hidden_states_that_are_reshaped_first_are_named() -> None:
    model = decoder_model(weights="f32")
    layer = output_layer(model)
    shape = add_weight(model, "flat_shape", [-1, 128], np.int64)
    put_before(model, layer, helper.make_node("Reshape", [layer.input[0], shape], ["flat"]))
    layer.input[0] = "flat"
    assert missing_of(model) == ("the hidden states are reshaped before the output layer",)


def test_an_open_vocabulary_and_missing_logits_are_named() -> None:
    model = decoder_model()
    model.graph.output[-1].type.tensor_type.shape.dim[2].dim_param = "vocabulary"
    assert missing_of(model) == ("the size of the vocabulary is not fixed",)
    model = decoder_model()
    model.graph.output[-1].name = "scores"
    output_layer(model).output[0] = "scores"
    assert missing_of(model) == ("there is no output 'logits'",)


def test_keys_and_values_that_stay_inside_are_named() -> None:
    model = decoder_model()
    del model.graph.output[0]
    (text,) = missing_of(model)
    assert text.endswith("its keys and values are not inputs and outputs of the graph")


def test_a_graph_without_attention_over_a_cache_says_what_it_has_instead() -> None:
    assert missing_of(encoder_model()) == (
        "no GroupQueryAttention nodes, which keep the key-value cache: it is no decoder, or its exporter knows none",
    )


@pytest.mark.parametrize("content", [b"not a graph", b""])
def test_a_file_that_is_no_graph_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(NotServable):
        prepare_decoder(read_graph(path), None)
