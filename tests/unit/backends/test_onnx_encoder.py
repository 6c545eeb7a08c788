"""Encoders in ONNX, against the formulas computed in numpy."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from appliance.backends.base import EncoderInput, LoadedEncoder, RowArray
from appliance.backends.input_folder import FolderInputs
from appliance.backends.onnx.backend import OnnxBackend
from appliance.backends.onnx.encoder import padded
from appliance.backends.onnx.graph import NotServable
from appliance.backends.onnx.prepare import examine
from appliance.errors import BackendError
from tests.bert import CLS, SEP, hidden_states, logits, random_bert
from tests.bert_onnx import bert_model, write_bert_onnx
from tests.unit.backends.plans import plan_of

TEXTS = ("the cat sat on the mat", "a dog", "suns", "the sun is warm and the dog runs fast", "a cat", "the " * 30)


def load(graph: Path, context_tokens: int = 48) -> LoadedEncoder:
    plan = plan_of("onnx", "onnx", str(graph), compiled_path=str(graph.parent / "compiled"))
    model = OnnxBackend().load(msgspec.structs.replace(plan, context_tokens=context_tokens), lambda _: None)
    assert isinstance(model, LoadedEncoder)
    return model


def unit(vector: RowArray) -> RowArray:
    return vector / np.linalg.norm(vector)


def assert_each_row_is_as_alone(model: LoadedEncoder, inputs: list[EncoderInput]) -> None:
    together = model.embed(inputs)
    for each, row in zip(inputs, together, strict=True):
        assert np.array_equal(model.embed([each])[0], row)
    assert np.array_equal(model.embed(inputs[::-1]), together[::-1])


@pytest.mark.parametrize(
    ("pooling", "pool"),
    [
        ("mean", lambda states: states.mean(0)),
        ("cls", lambda states: states[0]),
        ("last", lambda states: states[-1]),
    ],
)
def test_vectors_are_pooled_and_normalized_as_the_configuration_says(
    tmp_path: Path, pooling: Literal["mean", "cls", "last"], pool: Callable[[RowArray], RowArray]
) -> None:
    bert = random_bert()
    for is_normalized in (True, False):
        folder = tmp_path / str(is_normalized)
        model = load(write_bert_onnx(folder, bert, pooling=pooling, is_normalized=is_normalized))
        inputs = FolderInputs(folder).read(TEXTS, None)
        expected = np.array([pool(hidden_states(bert, each.tokens)) for each in inputs])
        if is_normalized:
            expected = np.array([unit(row) for row in expected])
        np.testing.assert_allclose(model.embed(inputs), expected, atol=1e-5)
        assert (model.traits.task, model.traits.row_width) == ("embed", bert.width)


def test_a_vector_depends_on_its_own_text_alone(tmp_path: Path) -> None:
    model = load(write_bert_onnx(tmp_path, random_bert()))
    assert_each_row_is_as_alone(model, FolderInputs(tmp_path).read(TEXTS, None))


def test_so_does_that_of_a_graph_whose_activations_share_a_scale(tmp_path: Path) -> None:
    graph = write_bert_onnx(tmp_path, random_bert())
    quantized = graph.with_name("quantized.onnx")
    quantize_dynamic(graph, quantized, weight_type=QuantType.QInt8, extra_options={"DefaultTensorType": 1})
    operators = {node.op_type for node in onnx.load(quantized).graph.node}
    assert "DynamicQuantizeLinear" in operators
    assert_each_row_is_as_alone(load(quantized), FolderInputs(tmp_path).read(TEXTS, None))


def test_a_graph_without_a_mask_is_never_padded(tmp_path: Path) -> None:
    bert = random_bert()
    model = load(write_bert_onnx(tmp_path, bert, model=bert_model(bert, has_mask=False)))
    inputs = FolderInputs(tmp_path).read(TEXTS, None)
    expected = [unit(hidden_states(bert, each.tokens).mean(0)) for each in inputs]
    np.testing.assert_allclose(model.embed(inputs), expected, atol=1e-5)


@pytest.mark.parametrize("num_labels", [1, 3])
def test_a_classifier_returns_logits_of_pairs_with_their_types(tmp_path: Path, num_labels: int) -> None:
    bert = random_bert(num_labels=num_labels)
    graph = write_bert_onnx(tmp_path, bert, pooling=None)
    model = load(graph)
    inputs = FolderInputs(tmp_path).read_pairs([("the cat", "a dog runs"), ("sun", "warm"), ("a", "the mat is warm")])
    expected = [logits(bert, each.tokens, each.types) for each in inputs]
    np.testing.assert_allclose(model.embed(inputs), expected, atol=1e-5)
    assert (model.traits.task, model.traits.row_width) == ("score", num_labels)
    details = examine(graph).details
    assert (details.task, details.num_labels) == ("score", num_labels)


def test_the_smallest_limit_of_length_holds_and_the_longest_input_still_fits(tmp_path: Path) -> None:
    bert = random_bert()
    graph = write_bert_onnx(tmp_path, bert, max_tokens=45)
    assert examine(graph).details.context_length_tokens == 45
    model = load(graph)
    assert model.traits.max_context_tokens == 45
    assert model.embed([EncoderInput(np.array([CLS, *[7] * 43, SEP], np.int32))]).shape == (1, bert.width)
    assert load(graph, context_tokens=20).traits.max_context_tokens == 20


def test_texts_are_read_whole_with_special_tokens_and_their_names_are_text(tmp_path: Path) -> None:
    write_bert_onnx(tmp_path, random_bert())  # its tokenizer would cut after eight tokens
    long, named = FolderInputs(tmp_path).read(["cat " * 20, "[SEP]"], None)
    assert long.tokens.tolist() == [CLS, *[7] * 20, SEP]
    assert named.tokens.tolist().count(SEP) == 1
    (pair,) = FolderInputs(tmp_path).read_pairs([("cat", "dog")])
    assert (pair.tokens.tolist(), pair.types.tolist()) == ([CLS, 7, SEP, 8, SEP], [0, 0, 0, 1, 1])


def test_instructions_stand_before_queries_and_documents(tmp_path: Path) -> None:
    write_bert_onnx(tmp_path, random_bert(), prompts={"query": "the sun ", "passage": "a "})
    inputs = FolderInputs(tmp_path)
    assert [inputs.read(["cat"], role)[0].tokens.tolist() for role in ("query", "document", None)] == [
        [CLS, 5, 14, 7, SEP],
        [CLS, 6, 7, SEP],
        [CLS, 7, SEP],
    ]


def _without_known_output(model: Any) -> None:
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("pooler_output", TensorProto.FLOAT, ["batch", 64]))


def _with_an_unknown_input(model: Any) -> None:
    model.graph.input.append(helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["batch", 3]))


@pytest.mark.parametrize(
    ("change", "words"), [(_without_known_output, "pooler_output"), (_with_an_unknown_input, "pixel_values")]
)
def test_a_graph_that_cannot_serve_says_what_is_missing(
    tmp_path: Path, change: Callable[[Any], None], words: str
) -> None:
    bert = random_bert()
    model = bert_model(bert)
    change(model)
    with pytest.raises(NotServable, match=words):
        examine(write_bert_onnx(tmp_path, bert, model=model))


def test_steps_that_are_not_known_are_refused_when_the_model_is_taken_in_and_when_it_is_loaded(tmp_path: Path) -> None:
    graph = write_bert_onnx(tmp_path, random_bert())
    modules = [{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}]
    (tmp_path / "modules.json").write_bytes(msgspec.json.encode(modules))
    with pytest.raises(NotServable, match="Dense"):
        examine(graph)
    with pytest.raises(BackendError, match="Dense"):
        load(graph)


def test_padding_adds_an_eighth_at_most_and_never_passes_the_limit() -> None:
    for num_tokens in range(32, 513):
        assert num_tokens <= padded(num_tokens, 512) <= num_tokens * 9 / 8
        assert padded(num_tokens, num_tokens) == num_tokens
    assert padded(1, 512) == 4
