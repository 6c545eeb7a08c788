"""Which graph of a repository is taken, by its name."""

import pytest

from models.formats.graph_choice import choose_graph

REPOSITORY = ["bnb4", "fp16", "int8", "q4", "q4f16", "quantized", "uint8"]


def graphs(*labels: str) -> list[str]:
    return [f"onnx/model{'_' if label else ''}{label}.onnx" for label in labels]


@pytest.mark.parametrize(
    ("labels", "chosen"),
    [
        (["", *REPOSITORY], "q4"),
        (["", "fp16", "quantized", "uint8", "int8"], "int8"),
        (["", "fp16", "quantized"], "quantized"),
        (["", "fp16", "q4f16", "bnb4"], ""),
    ],
)
def test_the_fewest_bits_that_a_processor_computes_with_come_first(labels: list[str], chosen: str) -> None:
    assert choose_graph(graphs(*labels)) == graphs(chosen)[0]


def test_half_floats_are_never_chosen() -> None:
    assert choose_graph(graphs("fp16", "q4f16", "bnb4")) is None


def test_a_whole_model_comes_before_a_part_of_one() -> None:
    names = ["onnx/vision_encoder_q4.onnx", "onnx/decoder_model_merged_q4.onnx", "onnx/decoder_model_q4.onnx"]
    assert choose_graph(names) == "onnx/decoder_model_merged_q4.onnx"
    assert choose_graph(names[:1]) is None
