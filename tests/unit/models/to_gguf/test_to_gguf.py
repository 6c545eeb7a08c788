"""Folders of float weights as GGUF files: every number in its place, and nothing that would be a guess."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.formats.gguf import GGUFFile, read_gguf
from models.formats.quantize import decode
from models.to_gguf.folder import plan_conversion
from models.to_gguf.refusal import NotConvertible
from models.to_gguf.rope import read_rope
from tests.safetensors_writer import write_safetensors
from tests.tiny_decoders import TinyDecoder, tensors_of
from tests.tiny_folders import write_tiny_folder

LLAMA = TinyDecoder("llama", "llama", has_own_head=True)
QWEN3 = TinyDecoder("qwen3", "qwen3", has_head_norms=True, head_size=64)
FAMILIES = (LLAMA, TinyDecoder("qwen2", "qwen2", has_bias=True, num_heads=2, head_size=64), QWEN3)


def converted(folder: Path, precision: str | None = None) -> tuple[Path, GGUFFile]:
    path = folder / "made.gguf"
    plan_conversion(folder, precision).write(path, lambda done: None)
    return path, read_gguf(path, read_arrays=True)


def numbers(path: Path, file: GGUFFile) -> dict[str, np.ndarray]:
    content = path.read_bytes()
    return {
        tensor.name: decode(content[tensor.offset_bytes : tensor.offset_bytes + tensor.size_bytes], tensor.type)
        for tensor in file.tensors
    }


@pytest.mark.parametrize("decoder", FAMILIES, ids=lambda decoder: decoder.name)
@pytest.mark.parametrize("num_parts", [1, 3])
def test_every_number_comes_to_its_place(decoder: TinyDecoder, num_parts: int, tmp_path: Path) -> None:
    write_tiny_folder(tmp_path, decoder, num_parts=num_parts)

    found = numbers(*converted(tmp_path))

    expected = {tensor.name: np.concatenate(list(tensor.chunks())).reshape(-1) for tensor in tensors_of(decoder)}
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_the_keys_say_what_the_configuration_says(tmp_path: Path) -> None:
    write_tiny_folder(tmp_path, QWEN3, dtype="BF16", rms_norm_eps=1e-5)
    (tmp_path / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n# license: mit\n")

    _, file = converted(tmp_path)

    said = {key: file.metadata[key] for key in file.metadata if not key.startswith("tokenizer.")}
    assert said.pop("general.name") == tmp_path.name
    assert math.isclose(float(str(said.pop("qwen3.attention.layer_norm_rms_epsilon"))), 1e-5, rel_tol=1e-6)
    assert said == {
        "general.architecture": "qwen3",
        "general.license": "apache-2.0",
        "general.file_type": 32,  # BF16, as the folder's own
        "general.quantization_version": 2,
        "qwen3.vocab_size": 300,
        "qwen3.block_count": 2,
        "qwen3.context_length": 1024,
        "qwen3.embedding_length": 128,
        "qwen3.feed_forward_length": 320,
        "qwen3.attention.head_count": 4,
        "qwen3.attention.head_count_kv": 2,
        "qwen3.attention.key_length": 64,
        "qwen3.attention.value_length": 64,
        "qwen3.rope.dimension_count": 64,
        "qwen3.rope.freq_base": 10_000.0,
    }


def test_the_tokenizer_is_told_whole(tmp_path: Path) -> None:
    write_tiny_folder(tmp_path, LLAMA, vocab_size=304)
    (tmp_path / "consolidated.safetensors").write_bytes(b"")  # beside model.safetensors nobody reads it
    grown = {"model.embed_tokens.weight": (304, 128), "lm_head.weight": (304, 128)}
    _replace_tensors(tmp_path, {name: np.zeros(shape, np.float32) for name, shape in grown.items()})

    _, file = converted(tmp_path)

    said = {key.removeprefix("tokenizer.ggml."): value for key, value in file.metadata.items()}
    tokens, types = said["tokens"], said["token_type"]
    assert isinstance(tokens, tuple) and isinstance(types, tuple)
    assert (said["model"], said["pre"], said["add_bos_token"]) == ("gpt2", "gpt-2", False)
    assert tokens[297:] == ("<|endoftext|>", "<|im_start|>", "<|im_end|>", *(f"[PAD{n}]" for n in range(300, 304)))
    assert types[296:] == (1, 3, 3, 3, 5, 5, 5, 5)
    assert said["eos_token_id"] == 299
    assert "tokenizer.chat_template" in file.metadata


def test_a_tokenizer_of_a_larger_network_is_refused(tmp_path: Path) -> None:
    write_tiny_folder(tmp_path, LLAMA, vocab_size=298)
    cut = {"model.embed_tokens.weight": (298, 128), "lm_head.weight": (298, 128)}
    _replace_tensors(tmp_path, {name: np.zeros(shape, np.float32) for name, shape in cut.items()})

    with pytest.raises(NotConvertible, match="has the number 298, the network has 298 tokens"):
        plan_conversion(tmp_path)


@pytest.mark.parametrize(("dtype", "precision"), [("F32", "F32"), ("F16", "F16"), ("BF16", "BF16")])
def test_without_a_word_nothing_is_lost(dtype: str, precision: str, tmp_path: Path) -> None:
    write_tiny_folder(tmp_path, QWEN3, dtype=dtype)

    _, file = converted(tmp_path)

    types = {tensor.type for tensor in file.tensors if len(tensor.shape) > 1}
    assert types == {precision}
    assert {tensor.type for tensor in file.tensors if len(tensor.shape) == 1} == {"F32"}


def test_what_f16_cannot_hold_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    write_tiny_folder(tmp_path, QWEN3, dtype="BF16")
    _replace_tensors(tmp_path, {"model.layers.1.mlp.up_proj.weight": np.full((320, 128), 1e5, np.float32)}, "BF16")

    with pytest.raises(NotConvertible, match=r"up_proj.* too large for F16; choose BF16"):
        converted(tmp_path, "F16")

    assert not list(tmp_path.glob("*.gguf*"))
    converted(tmp_path, "BF16")


def test_a_tied_output_is_not_written_though_it_is_stored(tmp_path: Path) -> None:
    write_tiny_folder(tmp_path, LLAMA, tie_word_embeddings=True)

    assert "output.weight" not in numbers(*converted(tmp_path))


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"architectures": ["GemmaForCausalLM"]}, "GemmaForCausalLM cannot be converted"),
        ({"architectures": None}, r"\(none\) cannot be converted"),
        ({"hidden_act": "gelu"}, "activation is 'gelu'"),
        ({"quantization_config": {"bits": 4}}, "quantized already"),
        ({"hidden_size": -1}, "config.json is damaged"),
        ({"hidden_size": "128"}, "config.json is damaged"),
        ({"num_hidden_layers": 3}, r"lacks the tensor 'model\.layers\.2\."),
        ({"num_hidden_layers": 1}, r"does not know, such as 'model\.layers\.1\."),
        ({"intermediate_size": 64}, r"is of the shape \(320, 128\), the configuration says \(64, 128\)"),
        ({"num_key_value_heads": 3}, "heads do not divide"),
        ({"vocab_size": 200}, r"the configuration says \(200, 128\)"),
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "scaled by 'dynamic'"),
        ({"rope_scaling": {"type": "linear"}}, "factor = None"),
        ({"rope_scaling": {"type": "linear", "factor": True}}, "factor = True"),
        ({"partial_rotary_factor": 0.5}, "only a part of each head"),
    ],
)
def test_what_is_not_understood_is_refused(config: dict[str, Any], says: str, tmp_path: Path) -> None:
    write_tiny_folder(tmp_path, LLAMA, **config)

    with pytest.raises(NotConvertible, match=says):
        plan_conversion(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("tokenizer.json", None, "no tokenizer.json"),
        ("tokenizer.json", "{", "not a tokenizer that can be converted"),
        ("config.json", "[]", "damaged"),
        ("config.json", None, "cannot be read"),
        ("model.safetensors", "short", "damaged or not all there"),
        ("model.safetensors", None, "no weights in safetensors"),
    ],
)
def test_a_damaged_folder_is_refused(file: str, content: str | None, says: str, tmp_path: Path) -> None:
    write_tiny_folder(tmp_path, LLAMA)
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_text(content)

    with pytest.raises(NotConvertible, match=says):
        plan_conversion(tmp_path)


def test_a_window_ends_the_context_where_it_would_begin(tmp_path: Path) -> None:
    write_tiny_folder(tmp_path, LLAMA, architectures=["MistralForCausalLM"], sliding_window=256)

    assert converted(tmp_path)[1].metadata["llama.context_length"] == 256


def test_llama_3_stretches_long_waves_and_leaves_short_ones() -> None:
    scaling = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    config = {"rope_theta": 500_000.0, "rope_scaling": scaling | {"original_max_position_embeddings": 8192}}

    factors = read_rope(config, 128, 131072).factors

    assert factors is not None and factors.shape == (64,)
    assert factors[0] == 1 and factors[-1] == 8
    assert np.all(np.diff(factors) >= 0)
    wavelength = 2 * math.pi * 500_000 ** (66 / 128)
    share = (8192 / wavelength - 1) / 3
    assert 0 < share < 1
    assert math.isclose(factors[33], 1 / ((1 - share) / 8 + share), rel_tol=1e-5)


def test_yarn_has_its_own_factor_divided_out() -> None:
    """llama.cpp multiplies 1 + 0.1 ln(factor) itself; transformers' attention_factor is the whole of it."""
    scaling = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}

    assert read_rope({"rope_scaling": scaling}, 64, 256).scaling == {
        "type": "yarn",
        "factor": 4.0,
        "original_context_length": 64,
    }
    said = read_rope({"rope_parameters": scaling | {"attention_factor": 1.3}}, 64, 256).scaling
    assert math.isclose(float(str(said["attn_factor"])), 1.3 / (1 + 0.1 * math.log(4)))


def _replace_tensors(folder: Path, tensors: dict[str, np.ndarray], dtype: str = "F32") -> None:
    """Write the folder's weights again, some of them others."""
    path = folder / "model.safetensors"
    content = path.read_bytes()
    header_bytes = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + header_bytes])
    found = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + header_bytes + offset for offset in entry["data_offsets"])
        if dtype == "BF16":
            values = (np.frombuffer(content[begin:end], "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(content[begin:end], "<f4")
        found[name] = values.reshape(entry["shape"])
    write_safetensors(path, found | tensors, dtype)
