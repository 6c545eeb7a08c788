"""Quantization of weights and activations to integers, by the library's own tools: dynamic and static.

Source: ONNX Runtime, `onnxruntime.quantization`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from appliance.backends.onnx.encoder_gate import TextInputs
from appliance.backends.onnx.graph import read_graph
from appliance.backends.onnx.graph_view import inputs_of
from appliance.backends.onnx.weight_only import write_quantized
from appliance.errors import InvalidRequest

_FLOAT = 1
_MAX_CALIBRATION_TEXTS = 256


def write_dynamic(source: Path, graph: Path, scratch: Path) -> None:
    """Write `source` with int8 weights, a scale for each column, and activations quantized as they come."""
    quantize_dynamic(
        _copy(source, scratch),
        graph,
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        weight_type=QuantType.QInt8,
        use_external_data_format=True,
        # Contrib operators have no shape inference, so that the type of activations must be told.
        extra_options={"MatMulConstBOnly": True, "DefaultTensorType": _FLOAT},
    )


def write_static(source: Path, graph: Path, scratch: Path, calibration: Path) -> None:
    """Write `source` with int8 weights and activations in the ranges that the calibration texts, one a line, show.

    Activations get 16 bits: with 8, measured vectors pointed elsewhere (cosine 0.94; with 16, 0.9996).
    """
    quantize_static(
        _copy(source, scratch),
        graph,
        _Texts(source, calibration),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        activation_type=QuantType.QUInt16,
        weight_type=QuantType.QInt8,
        use_external_data_format=True,
        calibrate_method=CalibrationMethod.MinMax,
        extra_options={"MatMulConstBOnly": True, "DefaultTensorType": _FLOAT},
    )


def _copy(source: Path, scratch: Path) -> Path:
    """Write the model once more: the library's tools write beside what they read, and follow no links to weights."""
    copy = scratch / "floats.onnx"
    write_quantized(read_graph(source), source.parent, [], copy, lambda _: None)
    return copy


class _Texts(CalibrationDataReader):  # type: ignore[misc]  # the library has no types
    """The calibration file, a text at a time, as the inputs of the graph."""

    def __init__(self, source: Path, calibration: Path) -> None:
        try:
            lines = calibration.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidRequest(f"the calibration texts {calibration} cannot be read: {error}") from None
        texts = [line.strip() for line in lines if line.strip()][:_MAX_CALIBRATION_TEXTS]
        if not texts:
            raise InvalidRequest(f"{calibration} holds no text to calibrate with")
        self._declared = list(inputs_of(read_graph(source).graph))
        inputs = TextInputs(source)
        self._inputs: Iterator[dict[str, Any]] = (inputs.of(text) for text in texts)

    def get_next(self) -> dict[str, Any] | None:
        """Return the inputs of the next text, None after the last."""
        given = next(self._inputs, None)
        return None if given is None else {name: given[name] for name in self._declared}
