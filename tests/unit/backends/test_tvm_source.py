"""GGUF files as our kernels read them: what they take as it is, what they turn, what they refuse."""

from pathlib import Path

import numpy as np
import pytest

from appliance.backends.tvm.folders import folder_in
from appliance.backends.tvm.gguf_source import GgufSource
from appliance.backends.tvm.limits import MAX_STEP_OUTPUTS, instruction_set_for
from appliance.backends.tvm.source import NotServable, whole
from appliance.backends.tvm.weights_file import file_bytes, map_weights, write_weights
from appliance.core.hardware import Instruction
from kernels import shape as kernel_shape
from kernels.instruction_sets import INSTRUCTION_SETS
from kernels.packing import PackedWeights, unpack
from kernels.quantization import dequantize_weights
from kernels.shape import weight_specs
from models.embedded import EMBEDDED_PATH
from models.formats.gguf import read_gguf
from models.formats.gguf_writer import Tensor, write_gguf
from tests.shapes import write_shape


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    write_shape(tmp_path / "tiny.gguf", "tiny", "Q4_0")
    return tmp_path / "tiny.gguf"


def changed(path: Path, **keys: object) -> Path:
    """Return a copy of the head with other metadata, whose weights are zeros."""
    head = read_gguf(path, read_arrays=True)
    metadata = {**head.metadata, **{key.replace("__", "."): value for key, value in keys.items()}}
    tensors = [
        Tensor(t.name, t.shape, "F32" if len(t.shape) == 1 else "Q8_0", lambda t=t: [np.zeros(t.shape, np.float32)])
        for t in head.tensors
    ]
    target = path.with_name("changed.gguf")
    write_gguf(target, metadata, tensors)
    return target


def test_a_4_bit_file_keeps_its_bits_and_its_head_of_8(tiny: Path) -> None:
    shape = GgufSource(tiny).shape
    assert set(shape.layers) == {(4, 4, 4, 4)}
    assert (shape.head_bits, shape.embedding_bits) == (8, None)
    assert shape.heads.has_bias


def test_codes_are_taken_one_to_one(tiny: Path) -> None:
    from gguf import GGMLQuantizationType
    from gguf.quants import dequantize

    source = GgufSource(tiny)
    tensor = next(each for each in read_gguf(tiny).tensors if each.name == "blk.1.ffn_down.weight")
    content = np.fromfile(tiny, np.uint8)[tensor.offset_bytes :][: tensor.size_bytes]
    expected = dequantize(content.reshape(tensor.shape[0], -1), GGMLQuantizationType.Q4_0)
    got = dequantize_weights(whole(source.pieces("blk.1.ffn_down.weight", 4)))
    np.testing.assert_array_equal(got, expected)


def test_the_file_of_weights_holds_every_array_where_it_is_looked_for(tiny: Path, tmp_path: Path) -> None:
    source, ratios = GgufSource(tiny), list[float]()
    write_weights(source, tmp_path / "weights.bin", 128, ratios.append)
    assert (tmp_path / "weights.bin").stat().st_size == file_bytes(source.shape)
    assert ratios == sorted(ratios)
    assert ratios[-1] == 1.0
    arrays = dict(
        zip(
            [(spec.name, spec.layer) for spec in weight_specs(source.shape)],
            map_weights(tmp_path / "weights.bin", source.shape),
            strict=True,
        )
    )
    packed = PackedWeights(arrays["down_codes", 3], arrays["down_scales", 3])
    expected = whole(source.pieces("blk.3.ffn_down.weight", 4))
    np.testing.assert_array_equal(unpack(packed, 4, 128).codes, expected.codes)
    np.testing.assert_array_equal(arrays["final_norm", None], source.tensor("output_norm.weight"))


def test_the_heads_of_llama_files_are_put_in_the_order_of_halves() -> None:
    source = GgufSource(EMBEDDED_PATH)
    size = source.shape.heads.size
    name = "blk.0.attn_q.weight"
    turned = whole(source.pieces(name, 8)).codes
    other = whole(source.pieces("blk.0.attn_v.weight", 8))
    content = np.fromfile(EMBEDDED_PATH, np.uint8)
    tensor = next(each for each in read_gguf(EMBEDDED_PATH).tensors if each.name == name)
    blocks = content[tensor.offset_bytes :][: tensor.size_bytes].reshape(tensor.shape[0], -1, 34)
    as_written = blocks[:, :, 2:].view(np.int8).reshape(tensor.shape)
    np.testing.assert_array_equal(turned[0], as_written[0])
    np.testing.assert_array_equal(turned[1], as_written[2])
    np.testing.assert_array_equal(turned[size // 2], as_written[1])
    assert len(other.codes) == source.shape.heads.num_kv * size


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"general__architecture": "mamba"}, "architecture 'mamba'"),
        ({"qwen2__attention__sliding_window": 1024}, "window of 1024 tokens"),
        ({"qwen2__rope__scaling__type": "yarn"}, "scaled by 'yarn'"),
        ({"qwen2__rope__dimension_count": 32}, "only a part of each head"),
        ({"qwen2__expert_count": 8}, "mixtures of experts"),
        ({"qwen2__attention__value_length": 128}, "different lengths"),
    ],
)
def test_what_cannot_be_computed_exactly_is_refused(tiny: Path, keys: dict[str, object], reason: str) -> None:
    with pytest.raises(NotServable, match=reason):
        GgufSource(changed(tiny, **keys))


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.gguf").write_bytes(b"no model" * 10)
    with pytest.raises(NotServable, match="not a GGUF file"):
        GgufSource(tmp_path / "no.gguf")


def test_the_best_instruction_set_of_a_processor_is_taken() -> None:
    assert instruction_set_for({Instruction.AVX2, Instruction.AVX512_VNNI, Instruction.AVX_VNNI}) == "avx512_vnni"
    assert instruction_set_for({Instruction.AVX2}) == "avx2"
    assert instruction_set_for({Instruction.NEON}) == "neon"
    assert instruction_set_for(frozenset()) is None


def test_each_path_has_its_kernels_and_a_folder_of_its_own(tmp_path: Path) -> None:
    names = {instruction_set_for({each}) for each in Instruction} - {None}
    assert names == set(INSTRUCTION_SETS)
    assert len({folder_in(tmp_path, str(name)) for name in names}) == len(names)


def test_the_daemon_and_the_kernels_agree_on_the_largest_step() -> None:
    assert MAX_STEP_OUTPUTS == kernel_shape.MAX_STEP_OUTPUTS
