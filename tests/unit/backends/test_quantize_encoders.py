"""Quantization of encoders: by which methods, and what their vectors lose."""

from pathlib import Path

import pytest

from appliance.backends.onnx.integer_activations import write_dynamic
from appliance.backends.onnx.job_arguments import QuantizeArguments
from appliance.backends.onnx.quantize_job import quantize_graph
from appliance.errors import InvalidRequest
from models.manifest import ModelQuality
from tests.onnx_shapes import write_encoder


def quantize(tmp_path: Path, **arguments: object) -> ModelQuality:
    source = write_encoder(tmp_path / "float")
    order = QuantizeArguments(**{"model": "/float", "precision": "int8"} | arguments)
    return quantize_graph(source, tmp_path / "made", tmp_path / "scratch", order, lambda *_: None)


@pytest.mark.parametrize("method", ["weights", "dynamic", "static"])
def test_int8_vectors_point_where_the_original_ones_do(tmp_path: Path, method: str) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("The ferry leaves at six.\nNobody ties anything to it.\n")
    calibration = str(texts) if method == "static" else None

    quality = quantize(tmp_path, method=method, calibration=calibration, max_loss_ratio=0.1)

    assert quality.cosine_mean is not None
    assert quality.cosine_mean > 0.98


def test_the_folder_of_the_original_is_only_read(tmp_path: Path) -> None:
    graph = write_encoder(tmp_path / "float")
    before = graph.parent.stat().st_mtime_ns
    (tmp_path / "scratch").mkdir()

    write_dynamic(graph, tmp_path / "made.onnx", tmp_path / "scratch")

    # A file that was written and deleted again would have changed the folder's time
    assert graph.parent.stat().st_mtime_ns == before
    assert (tmp_path / "made.onnx").is_file()


def test_layers_of_an_encoder_are_not_measured(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="outer"):
        quantize(tmp_path, precision="int4", mixed="measured")
