"""GGUF models that embed or score, against the formulas computed in numpy."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from appliance.backends.base import EncoderInput, LoadedEncoder, RowArray
from appliance.backends.llama_cpp.backend import LlamaCppBackend
from appliance.backends.llama_cpp.inputs import LlamaCppInputs
from models.formats.gguf import read_gguf
from models.formats.summary import summarize_gguf
from tests.bert import CLS, SEP, hidden_states, logits, random_bert, write_bert_gguf
from tests.unit.backends.plans import plan_of

TEXTS = ("the cat sat on the mat", "a dog", "suns", "the sun is warm and the dog runs fast")
# The library's GELU is a table of 16-bit floats.
TOLERANCE = 1e-3


def load(path: Path) -> LoadedEncoder:
    plan = msgspec.structs.replace(plan_of("llama_cpp", "gguf", str(path)), context_tokens=48)
    model = LlamaCppBackend().load(plan, lambda _: None)
    assert isinstance(model, LoadedEncoder)
    return model


def unit(vector: RowArray) -> RowArray:
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize(
    ("pooling", "pool"),
    [
        (1, lambda states: states.mean(0)),
        (2, lambda states: states[0]),
        (3, lambda states: states[-1]),
        (None, lambda states: states.mean(0)),
    ],
)
def test_vectors_are_pooled_as_the_file_says_and_have_length_one(
    tmp_path: Path, pooling: int | None, pool: Callable[[RowArray], RowArray]
) -> None:
    path, bert = tmp_path / "m.gguf", random_bert()
    write_bert_gguf(path, bert, pooling)
    model = load(path)
    inputs = LlamaCppInputs(str(path)).read(TEXTS, None)
    expected = [unit(pool(hidden_states(bert, each.tokens))) for each in inputs]
    np.testing.assert_allclose(model.embed(inputs), expected, atol=TOLERANCE)
    assert (model.traits.task, model.traits.row_width, model.traits.max_context_tokens) == ("embed", bert.width, 48)
    model.close()


def test_a_vector_does_not_depend_on_what_else_is_in_the_call(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    write_bert_gguf(path, random_bert())
    model = load(path)
    inputs = LlamaCppInputs(str(path)).read(TEXTS, None)
    together = model.embed(inputs)
    for each, row in zip(inputs, together, strict=True):
        assert np.array_equal(model.embed([each])[0], row)
    model.close()


@pytest.mark.parametrize("num_labels", [1, 3])
def test_a_reranker_returns_the_logits_of_its_head(tmp_path: Path, num_labels: int) -> None:
    path, bert = tmp_path / "m.gguf", random_bert(num_labels=num_labels)
    write_bert_gguf(path, bert, pooling=4)
    model = load(path)
    inputs = LlamaCppInputs(str(path)).read_pairs([("the cat", "a dog runs"), ("sun", "warm")])
    expected = [logits(bert, each.tokens) for each in inputs]
    np.testing.assert_allclose(model.embed(inputs), expected, atol=5 * TOLERANCE)
    assert (model.traits.task, model.traits.row_width) == ("score", num_labels)
    model.close()


def test_special_tokens_stand_around_texts_and_their_names_in_a_text_are_text(bert_inputs: LlamaCppInputs) -> None:
    (plain, named) = bert_inputs.read(["cat", "cat [SEP]"], None)
    assert plain.tokens.tolist() == [CLS, 7, SEP]
    assert named.tokens.tolist().count(SEP) == 1


def test_a_pair_is_joined_and_ended_by_separators(bert_inputs: LlamaCppInputs) -> None:
    (pair,) = bert_inputs.read_pairs([("cat", "dog")])
    assert pair.tokens.tolist() == [CLS, 7, SEP, 8, SEP]


@pytest.fixture
def bert_inputs(tmp_path: Path) -> LlamaCppInputs:
    path = tmp_path / "m.gguf"
    write_bert_gguf(path, random_bert())
    return LlamaCppInputs(str(path))


@pytest.mark.parametrize(
    ("num_labels", "pooling", "task", "labels"),
    [(0, 1, "embed", None), (0, None, "embed", None), (1, 4, "score", 1), (3, 4, "score", 3)],
)
def test_the_file_tells_what_the_model_is_for(
    tmp_path: Path, num_labels: int, pooling: int | None, task: str, labels: int | None
) -> None:
    path = tmp_path / "m.gguf"
    write_bert_gguf(path, random_bert(num_labels=num_labels), pooling)
    details = summarize_gguf(read_gguf(path))
    assert (details.task, details.num_labels) == (task, labels)


def test_an_input_as_long_as_the_model_reads_is_computed_in_one_piece(tmp_path: Path) -> None:
    path, bert = tmp_path / "m.gguf", random_bert()
    write_bert_gguf(path, bert)
    model = load(path)
    tokens = np.array([CLS, *[7, 8, 9] * 15, 7, SEP], np.int32)
    assert len(tokens) == bert.max_tokens
    expected = unit(hidden_states(bert, tokens).mean(0))
    np.testing.assert_allclose(model.embed([EncoderInput(tokens)])[0], expected, atol=TOLERANCE)
    model.close()
