"""What PEFT wrote becomes the GGUF adapter that does the same."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from models.formats.gguf import read_gguf
from models.formats.lora import read_gguf_lora
from models.to_gguf.lora import LoraBase, convert_lora, read_lora_base
from models.to_gguf.refusal import NotConvertible
from tests.random_loras import RandomLora, random_lora, write_peft
from tests.safetensors_writer import write_safetensors
from tests.tiny_decoders import TinyDecoder, write_tiny_decoder

HEAD_WIDTH = 32

Arrays = dict[str, npt.NDArray[np.float32]]


@pytest.fixture(params=["llama", "qwen2"])
def base(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    write_tiny_decoder(tmp_path / "base.gguf", TinyDecoder("base", request.param, matrices="F32", head_size=HEAD_WIDTH))
    return tmp_path / "base.gguf"


def read(path: Path) -> Arrays:
    content = path.read_bytes()
    return {
        info.name: np.frombuffer(content, "<f4", info.size_bytes // 4, info.offset_bytes).reshape(info.shape)
        for info in read_gguf(path).tensors
    }


def deltas(path: Path) -> Arrays:
    """Return what is added to each tensor; the file says nothing of scaling."""
    arrays = read(path)
    assert read_gguf(path).metadata["adapter.lora.alpha"] == 0.0
    names = {name.removesuffix(".lora_a") for name in arrays if name.endswith(".lora_a")}
    return {name: arrays[f"{name}.lora_b"] @ arrays[f"{name}.lora_a"] for name in names}


def convert(folder: Path, base: Path, target: Path) -> Arrays:
    convert_lora(folder, read_lora_base(base), target)
    return deltas(target)


def assert_same(found: Arrays, lora: RandomLora, factor: Callable[[str], float] = lambda name: 1.0) -> None:
    assert found.keys() == lora.pairs.keys()
    for name, values in found.items():
        np.testing.assert_allclose(values, lora.delta(name) * factor(name), rtol=1e-5, atol=1e-6)


def test_every_matrix_changes_by_the_same_with_the_rows_in_the_order_of_the_base(tmp_path: Path, base: Path) -> None:
    lora = random_lora(base, 1)
    folder = write_peft(tmp_path / "peft", lora, head_width=HEAD_WIDTH)
    assert_same(convert(folder, base, tmp_path / "made" / "lora.gguf"), lora)
    assert read_gguf_lora(tmp_path / "made" / "lora.gguf").architecture == lora.architecture


def test_types_of_sixteen_bits_are_read(tmp_path: Path, base: Path) -> None:
    lora = random_lora(base, 1)
    folder = write_peft(tmp_path / "peft", lora, head_width=HEAD_WIDTH, dtype="BF16")
    for name, values in convert(folder, base, tmp_path / "lora.gguf").items():
        np.testing.assert_allclose(values, lora.delta(name), atol=0.02)


def test_scaling_by_the_root_of_the_rank_and_by_module_is_kept(tmp_path: Path, base: Path) -> None:
    lora = random_lora(base, 1, rank=4)
    pattern = {"mlp.down_proj": 2 * lora.alpha, "layers.1.self_attn.q_proj": 3 * lora.alpha}
    folder = write_peft(tmp_path / "peft", lora, head_width=HEAD_WIDTH, use_rslora=True, alpha_pattern=pattern)

    def factor(name: str) -> float:
        stronger = 2.0 if "ffn_down" in name else 3.0 if name == "blk.1.attn_q.weight" else 1.0
        return stronger * 4**0.5

    assert_same(convert(folder, base, tmp_path / "lora.gguf"), lora, factor)


def test_the_pair_of_the_embedding_is_turned_round(tmp_path: Path, base: Path) -> None:
    a, b = (np.random.default_rng(0).standard_normal(shape).astype(np.float32) for shape in ((4, 300), (128, 4)))
    folder = write_peft(tmp_path / "peft", RandomLora("llama", {}, 4, 4.0), head_width=HEAD_WIDTH)
    module = "base_model.model.model.embed_tokens"
    tensors = {f"{module}.lora_embedding_A": a, f"{module}.lora_embedding_B": b}
    write_safetensors(folder / "adapter_model.safetensors", tensors, "F32")
    convert_lora(folder, read_lora_base(base), tmp_path / "lora.gguf")
    arrays = read(tmp_path / "lora.gguf")
    np.testing.assert_array_equal(arrays["token_embd.weight.lora_a"], a.T)
    np.testing.assert_array_equal(arrays["token_embd.weight.lora_b"], b)


def test_patterns_that_are_more_than_names_are_refused(tmp_path: Path, base: Path) -> None:
    folder = write_peft(tmp_path / "peft", random_lora(base, 1), head_width=HEAD_WIDTH, alpha_pattern={"(a+)+": 1.0})
    with pytest.raises(NotConvertible, match="alpha_pattern"):
        convert_lora(folder, read_lora_base(base), tmp_path / "lora.gguf")
    assert not (tmp_path / "lora.gguf").exists()


def test_a_matrix_that_no_gguf_model_has_is_refused(tmp_path: Path, base: Path) -> None:
    folder = write_peft(tmp_path / "peft", random_lora(base, 1), head_width=HEAD_WIDTH)
    module = "base_model.model.model.layers.0.mlp.router"
    tensors = {f"{module}.lora_{half}.weight": np.zeros((4, 4), np.float32) for half in "AB"}
    write_safetensors(folder / "adapter_model.safetensors", tensors, "F32")
    with pytest.raises(NotConvertible, match="router"):
        convert_lora(folder, read_lora_base(base), tmp_path / "lora.gguf")


def test_a_base_that_says_no_width_of_its_heads_has_an_even_part_of_its_own(base: Path) -> None:
    assert read_lora_base(base) == LoraBase(read_lora_base(base).architecture, HEAD_WIDTH)
    assert LoraBase("odd/../name", 64).file_name == "odd----name-64.gguf"
    with pytest.raises(NotConvertible, match="cannot be read"):
        read_lora_base(base.parent / "none.gguf")
