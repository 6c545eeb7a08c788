"""Orders for conversion and quantization: what each format takes, and mixtures that are refused."""

from typing import Any

import msgspec
import pytest

from appliance.backends.job_arguments import ConvertArguments, EvaluateArguments, QuantizeArguments
from appliance.backends.llama_cpp.types import QUANTIZED_TYPES, most_bytes


def converting(**fields: Any) -> ConvertArguments:
    return msgspec.convert({"model": "/floats"} | fields, ConvertArguments)


def quantizing(**fields: Any) -> QuantizeArguments:
    return msgspec.convert({"model": "floats"} | fields, QuantizeArguments)


@pytest.mark.parametrize(
    ("fields", "is_gguf"),
    [
        ({}, False),
        ({"precision": "int8"}, False),
        ({"precision": "fp32"}, False),
        ({"to": "onnx"}, False),
        ({"to": "gguf"}, True),
        ({"precision": "q8_0"}, True),
        ({"precision": "F16"}, True),
        ({"to": "gguf", "precision": "Q4_K_M"}, True),
    ],
)
def test_the_precision_says_which_format_is_meant(fields: dict[str, Any], is_gguf: bool) -> None:
    assert converting(**fields).is_gguf == is_gguf


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"to": "gguf", "precision": "int4"}, "a GGUF file is of one of the types"),
        ({"to": "onnx", "precision": "Q8_0"}, "is a type of GGUF files"),
        ({"to": "gguf", "block_size": 64}, "block_size is for ONNX"),
        ({"to": "gguf", "is_symmetric": False}, "is_symmetric is for ONNX"),
        ({"to": "gguf", "max_loss_ratio": -1}, "a ratio such as 0.05"),
        ({"block_size": 7}, "blocks have"),
    ],
)
def test_a_conversion_that_mixes_formats_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        converting(**fields)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"to": ["Q8_0", "int4"]}, "GGUF has no type 'int4'"),
        ({"to": ["int4", "int8"]}, "one type at a time"),
        ({"to": ["Q8_0"], "method": "weights"}, "method is for ONNX"),
        ({"to": ["Q8_0"], "calibration": "/t"}, "calibration is for ONNX"),
        ({"to": ["Q9_X"]}, "no type 'Q9_X'"),
        ({"to": ["IQ2_XS"]}, "needs an importance matrix"),
        ({"to": ["int8"], "method": "static"}, "--calibration FILE"),
        ({"to": ["int8"], "texts": "/t"}, "texts is for GGUF"),
        ({"to": ["Q8_0"], "max_loss_ratio": 11}, "a ratio such as 0.05"),
    ],
)
def test_a_quantization_that_mixes_formats_is_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=says):
        quantizing(**fields)


def test_all_stands_for_every_type_that_needs_the_weights_alone() -> None:
    assert quantizing(to=["all"]).gguf_types() == QUANTIZED_TYPES
    assert quantizing(to=["q4_0", "ALL"]).gguf_types()[0] == "Q4_0"
    assert len(quantizing(to=["q4_0", "ALL"]).gguf_types()) == len(QUANTIZED_TYPES)


def test_without_a_type_each_format_has_its_own() -> None:
    assert quantizing().gguf_types() == ("Q4_K_M",)
    assert quantizing().as_onnx().precision == "int4"


def test_a_comparison_is_of_known_types() -> None:
    assert msgspec.convert({"model": "floats"}, EvaluateArguments).to == ("all",)
    with pytest.raises(msgspec.ValidationError, match="no type 'int8'"):
        msgspec.convert({"model": "floats", "to": ["int8"]}, EvaluateArguments)


def test_the_room_for_a_type_is_never_less_than_its_bits() -> None:
    assert most_bytes("F16", 1000) == 2000
    assert most_bytes("Q4_K_M", 1000) > 1000 * 4.85 / 8
    assert most_bytes("Q2_K", 1000) < most_bytes("Q4_0", 1000) < most_bytes("Q8_0", 1000) < most_bytes("F16", 1000)
