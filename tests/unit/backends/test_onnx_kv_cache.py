"""The KV cache of 8 bits: calibrated once, close to the floats, refused where it costs too much."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from appliance.backends.base import Batch, LoadedModel, LogitsArray, Run, SnapshotRejected
from appliance.backends.held_out import CALIBRATION, HELD_OUT, texts
from appliance.backends.onnx.graph import read_graph
from appliance.backends.onnx.kv_calibration import calibrate
from appliance.backends.onnx.kv_graph import with_int8_cache
from appliance.backends.onnx.prepared import GRAPH_FILE, folder_in, prepare
from appliance.errors import BackendError
from tests.onnx_shapes import write_decoder
from tests.unit.backends.conformance import load
from tests.unit.backends.plans import plan_of

PROMPT = np.arange(40, 60, dtype=np.int32)


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    return write_decoder(tmp_path / "model", weights="f32")


def load_with(graph: Path, kv_type: str) -> LoadedModel:
    compiled = str(graph.parent / "compiled")
    return load(plan_of("onnx", "onnx", str(graph), compiled_path=compiled, kv_type=kv_type))


def variant_of(graph: Path) -> Path:
    return folder_in(graph.parent / "compiled") / "kv-int8"


def row_of(model: LoadedModel) -> LogitsArray:
    model.step(Batch((Run(0, 0, PROMPT, 1),)))
    row = model.step(Batch((Run(0, len(PROMPT), PROMPT[:1], 1),))).logits[0][0].copy()
    model.truncate(0, 0)
    return row


def test_rows_are_close_to_those_of_floats_in_a_quarter_of_the_memory(graph: Path) -> None:
    floats, small = load_with(graph, "f32"), load_with(graph, "int8")
    assert 4 * small.traits.kv_bytes_per_token == floats.traits.kv_bytes_per_token
    expected, row = row_of(floats), row_of(small)
    error_ratio = np.abs(row - expected).max() / np.abs(expected).max()
    assert 0 < error_ratio < 0.03
    floats.close()
    small.close()


def test_a_snapshot_of_floats_does_not_become_one_of_eight_bits(graph: Path) -> None:
    floats, small = load_with(graph, "f32"), load_with(graph, "int8")
    floats.step(Batch((Run(0, 0, PROMPT, 1),)))
    with pytest.raises(SnapshotRejected):
        small.restore(0, floats.snapshot(0, 0, 4))
    floats.close()
    small.close()


def test_it_is_calibrated_once_and_again_when_the_model_changed(graph: Path) -> None:
    load_with(graph, "int8").close()
    made = (variant_of(graph) / GRAPH_FILE).stat().st_mtime_ns
    load_with(graph, "int8").close()
    assert (variant_of(graph) / GRAPH_FILE).stat().st_mtime_ns == made
    write_decoder(graph.parent, weights="f32", seed=1)
    load_with(graph, "int8").close()
    assert (variant_of(graph) / GRAPH_FILE).stat().st_mtime_ns > made


def test_its_figures_are_kept_beside_it(graph: Path) -> None:
    folder = folder_in(graph.parent / "compiled")
    prepare(graph, folder)
    quality = calibrate(graph, 1, folder)
    assert quality.top1_agreement_ratio is not None and quality.top1_agreement_ratio > 0.95
    kept = msgspec.json.decode((variant_of(graph) / "kv.json").read_bytes())
    assert kept["quality"]["kl_mean"] == quality.kl_mean
    assert not list(folder.glob("tmp*"))


def test_a_cache_that_costs_too_much_is_refused_with_the_setting_that_mends_it(graph: Path) -> None:
    load_with(graph, "int8").close()
    description = variant_of(graph) / "kv.json"
    kept = msgspec.json.decode(description.read_bytes())
    kept["quality"]["loss_ratio"] = 0.08
    description.write_bytes(msgspec.json.encode(kept))
    with pytest.raises(BackendError, match=r"8\.0% worse, 5% are allowed; set engine\.kv_type = \"auto\""):
        load_with(graph, "int8")


def test_a_model_without_a_tokenizer_cannot_be_calibrated(graph: Path) -> None:
    (graph.parent / "tokenizer.json").unlink()
    with pytest.raises(BackendError, match=r"no tokenizer\.json"):
        load_with(graph, "int8")


def test_each_channel_of_each_head_has_a_scale_of_its_own(graph: Path, tmp_path: Path) -> None:
    base = prepare(graph, tmp_path / "prepared")
    model = read_graph(base.graph)
    scales = [np.ones((layer.num_heads, layer.head_width), np.float32) for layer in base.decoder.layers for _ in "kv"]
    layout = with_int8_cache(model, base.decoder, scales)
    assert layout.kv_type == "int8"
    stored = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer if "kv_scale" in tensor.name}
    first = base.decoder.layers[0]
    assert stored["kv_scale.0.key"] == [first.num_heads, 1, first.head_width]
    assert len(stored) == len(scales)


def test_nobody_is_judged_by_the_texts_of_the_calibration() -> None:
    lines = [
        {line for text in texts(file) for line in text.splitlines() if line.strip()} for file in (CALIBRATION, HELD_OUT)
    ]
    assert lines[0] and lines[1]
    assert not lines[0] & lines[1]
