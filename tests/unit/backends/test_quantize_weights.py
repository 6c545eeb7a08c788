"""Weight-only quantization: what is written, and what it computes."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest

from appliance.backends.loss import LossTooLarge, check_loss
from appliance.backends.made_model import free_name
from appliance.backends.onnx.gate import DecoderGate
from appliance.backends.onnx.graph import read_graph
from appliance.backends.onnx.job_arguments import QuantizeArguments
from appliance.backends.onnx.made_model import find_graph
from appliance.backends.onnx.matrices import Weights, find_matrices
from appliance.backends.onnx.packing import Packing, pack
from appliance.backends.onnx.quantize_job import quantize_graph
from appliance.backends.onnx.sensitivity import worth_keeping
from appliance.backends.onnx.weight_only import write_quantized
from appliance.backends.quality import DecoderLoss, encoder_quality
from appliance.errors import Conflict, InvalidRequest, ModelNotFound
from models.finding.quality_file import read_quality
from models.formats.folder_config import read_folder_config
from tests.onnx_shapes import write_decoder


def order(**changes: Any) -> QuantizeArguments:
    return QuantizeArguments(**{"model": "/float", "max_loss_ratio": 0.5} | changes)


def quantize(source: Path, tmp_path: Path, **changes: Any) -> Path:
    folder = tmp_path / "made"
    quantize_graph(source, folder, tmp_path / "scratch", order(**changes), lambda *_: None)
    return folder


def packed_nodes(folder: Path) -> list[tuple[int, int, int]]:
    graph = read_graph(folder / "model.onnx").graph
    found = []
    for node in graph.node:
        if node.op_type == "MatMulNBits":
            values = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
            found.append((values["bits"], values["block_size"], len(node.input)))
    return found


@pytest.fixture
def decoder(tmp_path: Path) -> Path:
    return write_decoder(tmp_path / "float", weights="f32")


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("is_symmetric", [True, False])
def test_packed_values_are_within_half_a_step_of_the_float_ones(bits: int, is_symmetric: bool) -> None:
    values = np.random.default_rng(1).standard_normal((48, 8)).astype(np.float32)
    packed = pack(values, Packing(bits, 32, is_symmetric))

    numbers = packed.weights if bits == 8 else np.stack([packed.weights & 15, packed.weights >> 4], -1)
    numbers = numbers.reshape(8, 2, 32).astype(np.float32)
    zeros: Any = 2 ** (bits - 1)
    if packed.zero_points is not None:
        points = packed.zero_points
        zeros = points if bits == 8 else np.stack([points & 15, points >> 4], -1).reshape(8, -1)[:, :2]
        zeros = zeros.astype(np.float32)[..., None]
    restored = ((numbers - zeros) * packed.scales[..., None]).reshape(8, 64).T[:48]

    # Symmetric blocks reach one step less far on one side
    steps = np.repeat(np.abs(packed.scales).T, 32, 0)[:48]
    assert np.all(np.abs(restored - values) <= steps * (1.01 if is_symmetric else 0.76))


@pytest.mark.parametrize(("block_size", "is_symmetric"), [(32, True), (32, False), (128, False)])
def test_int4_computes_nearly_what_the_original_does(
    decoder: Path, tmp_path: Path, block_size: int, is_symmetric: bool
) -> None:
    folder = quantize(decoder, tmp_path, block_size=block_size, is_symmetric=is_symmetric)

    quality = read_quality(folder)
    assert quality is not None
    assert quality.kl_mean is not None
    assert 0 < quality.kl_mean < 0.1
    nodes = packed_nodes(folder)
    assert {node[:2] for node in nodes} == {(4, block_size)}
    assert {node[2] for node in nodes} == {3 if is_symmetric else 4}  # with zero points or without


def test_int8_loses_less_than_int4(decoder: Path, tmp_path: Path) -> None:
    losses = [
        read_quality(quantize(decoder, tmp_path / precision, precision=precision)) for precision in ("int4", "int8")
    ]
    assert losses[0] is not None
    assert losses[1] is not None
    assert losses[1].kl_mean is not None
    assert losses[0].kl_mean is not None
    assert losses[1].kl_mean < losses[0].kl_mean / 5


def test_dynamic_int8_is_served_and_measured(decoder: Path, tmp_path: Path) -> None:
    folder = quantize(decoder, tmp_path, precision="int8", method="dynamic")

    quality = read_quality(folder)
    assert quality is not None
    assert quality.top1_agreement_ratio is not None
    assert quality.top1_agreement_ratio > 0.8


def test_the_quantized_folder_stands_alone(decoder: Path, tmp_path: Path) -> None:
    folder = quantize(decoder, tmp_path)
    for file in decoder.parent.iterdir():
        file.unlink()

    model = onnx.load(folder / "model.onnx")  # with its weights
    assert model.graph.initializer
    assert (folder / "tokenizer.json").is_file()
    assert read_folder_config(folder).num_layers is not None


def test_a_copy_that_lost_too_much_is_not_kept(decoder: Path, tmp_path: Path) -> None:
    with pytest.raises(LossTooLarge, match="--accept-loss"):
        quantize(decoder, tmp_path, max_loss_ratio=0.0)


def test_any_loss_can_be_accepted(decoder: Path, tmp_path: Path) -> None:
    assert read_quality(quantize(decoder, tmp_path, max_loss_ratio=0.0, accept_loss=True)) is not None


def test_a_damaged_copy_is_never_kept(decoder: Path, tmp_path: Path) -> None:
    model = read_graph(decoder)
    weights = Weights(model, decoder.parent)
    head = find_matrices(model)[-1]
    broken = np.full_like(weights.floats(head), np.nan)
    copy = tmp_path / "broken" / "model.onnx"
    copy.parent.mkdir()
    write_quantized(model, decoder.parent, [], copy, lambda _: None)
    entries = {entry.key: entry.value for tensor in model.graph.initializer if tensor.name == head.weight
               for entry in tensor.external_data}  # fmt: skip
    with (copy.parent / "model.onnx.data").open("r+b") as stream:
        stream.seek(int(entries["offset"]))
        stream.write(broken.tobytes())

    gate = DecoderGate(decoder, tmp_path / "scratch", 1)
    try:
        quality = gate.compare(copy)
    finally:
        gate.close()
    with pytest.raises(LossTooLarge, match="broken"):
        check_loss(quality, 1.0, accepts_loss=True)


def test_a_model_compared_with_itself_lost_nothing(decoder: Path, tmp_path: Path) -> None:
    gate = DecoderGate(decoder, tmp_path / "scratch", 1)
    try:
        quality = gate.compare(decoder)
    finally:
        gate.close()
    assert (quality.loss_ratio, quality.kl_mean, quality.top1_agreement_ratio) == (0.0, 0.0, 1.0)


def test_measured_layers_keep_8_bits(decoder: Path, tmp_path: Path) -> None:
    folder = quantize(decoder, tmp_path, mixed="measured")

    quality = read_quality(folder)
    assert quality is not None
    assert "at 8 bits" in quality.method


def test_what_is_worth_8_bits_holds_half_the_loss_in_the_fewest_weights() -> None:
    assert worth_keeping({None: 4.0, 0: 3.0, 1: 1.0}, {None: 100, 0: 10, 1: 10}) == {0, 1}
    assert worth_keeping({None: 1.0, 0: 6.0, 1: 1.0}, {None: 10, 0: 10, 1: 10}) == {0}


def test_a_quantized_model_is_not_quantized_again(tmp_path: Path) -> None:
    source = write_decoder(tmp_path / "int4", weights="int4")
    with pytest.raises(InvalidRequest, match="quantized already"):
        quantize(source, tmp_path)


def test_a_folder_without_a_tokenizer_is_refused_before_any_work(decoder: Path, tmp_path: Path) -> None:
    (decoder.parent / "tokenizer.json").unlink()
    with pytest.raises(InvalidRequest, match=r"tokenizer\.json"):
        quantize(decoder, tmp_path)
    assert not list((tmp_path / "made").glob("*.onnx*"))


def test_the_divergence_of_a_shifted_distribution_is_the_textbook_one() -> None:
    reference = np.log(np.array([[0.5, 0.5]], np.float32)).repeat(16, 0)
    copy = np.log(np.array([[0.9, 0.1]], np.float32)).repeat(16, 0)
    loss = DecoderLoss()
    loss.add(reference, copy, np.zeros(16, np.int32))

    quality = loss.quality()
    assert quality.kl_mean == pytest.approx(0.5 * np.log(0.5 / 0.9) + 0.5 * np.log(0.5 / 0.1), rel=1e-4)
    assert quality.perplexity == pytest.approx(1 / 0.9, rel=1e-4)
    assert quality.reference_perplexity == pytest.approx(2.0, rel=1e-4)
    assert quality.loss_ratio == pytest.approx(np.expm1(quality.kl_mean))


def test_vectors_that_rank_backwards_do_not_agree() -> None:
    angles = np.array([0.0, 0.3, 0.9, 1.4])
    vectors = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    assert encoder_quality(vectors, vectors).loss_ratio == pytest.approx(0.0, abs=1e-6)
    assert encoder_quality(vectors, vectors[::-1].copy()).loss_ratio > 0.05


@pytest.mark.parametrize(
    "wrong",
    [
        {"precision": "int4", "method": "dynamic"},
        {"precision": "int8", "mixed": "outer"},
        {"calibration": "/texts"},
        {"precision": "int8", "method": "static"},
        {"block_size": 33},
    ],
)
def test_orders_that_contradict_themselves_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"model": "m"} | wrong, QuantizeArguments)


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match="nothing"):
        find_graph("nothing", tmp_path)


def test_a_name_that_is_taken_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="guide"):
        free_name("guide", "", tmp_path)
