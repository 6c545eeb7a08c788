"""Hugging Face folders as our kernels read them: the numbers of the file in 8 bits, and what they refuse."""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.backends.loading import open_backend, open_tokenizer
from appliance.backends.tvm.rope_scaling import rope_frequencies
from appliance.backends.tvm.safetensors_source import SafetensorsSource
from appliance.backends.tvm.source import NotServable, whole
from appliance.backends.tvm.sources import open_source
from kernels.quantization import GROUP, dequantize_weights
from tests.decoder_reference import ReferenceDecoder
from tests.safetensors_writer import write_safetensors
from tests.tiny_decoders import DECODERS, TinyDecoder, write_tiny_decoder
from tests.tiny_folders import write_tiny_folder
from tests.unit.backends.test_tvm_decoder import all_logits, plan_for

FOLDERS = [decoder for decoder in DECODERS if not decoder.rope_factors and decoder.matrices != "F16"]
QWEN3 = next(decoder for decoder in DECODERS if decoder.architecture == "qwen3")
MATRICES = ("token_embd", *(f"blk.1.{name}" for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_down")))


@pytest.mark.parametrize("decoder", FOLDERS, ids=lambda decoder: decoder.name)
def test_a_folder_gives_what_a_gguf_file_of_the_same_numbers_gives(decoder: TinyDecoder, tmp_path: Path) -> None:
    write_tiny_decoder(tmp_path / "tiny.gguf", replace(decoder, matrices="Q8_0"))
    folder = open_source(write_tiny_folder(tmp_path / "folder", decoder))
    file = open_source(tmp_path / "tiny.gguf")
    assert replace(folder.shape.heads, norm_epsilon=None) == replace(file.shape.heads, norm_epsilon=None)
    np.testing.assert_allclose(folder.rope.frequencies, file.rope.frequencies, rtol=1e-12)
    assert folder.rope.context_tokens == file.rope.context_tokens
    for name in MATRICES:
        ours, theirs = (whole(source.pieces(f"{name}.weight", 8)) for source in (folder, file))
        step = np.repeat(theirs.scales.astype(np.float32), GROUP, axis=1)
        # Each has rounded by half a step at most
        assert (np.abs(dequantize_weights(ours) - dequantize_weights(theirs)) <= 1.01 * step).all()
    for name in ("output_norm.weight", "blk.1.attn_norm.weight", "blk.0.ffn_norm.weight"):
        np.testing.assert_array_equal(folder.tensor(name), file.tensor(name))


@pytest.mark.parametrize("decoder", FOLDERS, ids=lambda decoder: decoder.name)
def test_every_family_agrees_with_the_plain_formulas(decoder: TinyDecoder, tmp_path: Path) -> None:
    path = write_tiny_folder(tmp_path / "folder", decoder, dtype="BF16")
    tokens = np.random.default_rng(0).integers(0, decoder.vocab_size, 60).astype(np.int32)
    model = open_backend("tvm").load(plan_for("tvm", path, tmp_path / "compiled"), lambda ratio: None)
    got, expected = all_logits(model, tokens), ReferenceDecoder(path, rounds_as_kernels=True).logits(tokens)
    model.close()
    correlation = [np.corrcoef(a, b)[0, 1] for a, b in zip(got, expected, strict=True)]
    assert np.median(correlation) > 0.9995
    assert min(correlation) > 0.998


@pytest.mark.parametrize("dtype", ["F64", "F16", "BF16"])
def test_numbers_of_every_float_type_are_read(dtype: str, tmp_path: Path) -> None:
    wanted = SafetensorsSource(write_tiny_folder(tmp_path / "f32", QWEN3))
    source = SafetensorsSource(write_tiny_folder(tmp_path / dtype, QWEN3, dtype=dtype))
    precision = {"F64": 0.0, "F16": 2**-11, "BF16": 2**-7}[dtype]
    name = "blk.0.attn_q_norm.weight"
    np.testing.assert_allclose(source.tensor(name), wanted.tensor(name), rtol=precision)


def test_a_model_in_parts_is_the_same_model(tmp_path: Path) -> None:
    one = SafetensorsSource(write_tiny_folder(tmp_path / "one", QWEN3))
    three = SafetensorsSource(write_tiny_folder(tmp_path / "three", QWEN3, num_parts=3))
    assert one.shape == three.shape
    for name in MATRICES:
        ours, theirs = (whole(source.pieces(f"{name}.weight", 8)) for source in (one, three))
        np.testing.assert_array_equal(ours.codes, theirs.codes)


def test_pieces_are_the_whole_however_they_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = SafetensorsSource(write_tiny_folder(tmp_path, QWEN3))
    (uncut,) = source.pieces("token_embd.weight", 8)
    monkeypatch.setattr("appliance.backends.tvm.source._PIECE_NUMBERS", 128 * 64)
    cut = list(source.pieces("token_embd.weight", 8))
    assert [len(each.codes) for each in cut] == [64, 64, 64, 64, 44]
    np.testing.assert_array_equal(whole(cut).codes, uncut.codes)


def test_in_4_bits_embedding_and_head_keep_8(tmp_path: Path) -> None:
    shape = SafetensorsSource(write_tiny_folder(tmp_path, DECODERS[0]), 4).shape
    assert set(shape.layers) == {(4, 4, 4, 4)}
    assert (shape.head_bits, shape.embedding_bits) == (8, 8)


def test_a_tokenizer_is_that_of_the_folder(tmp_path: Path) -> None:
    path = write_tiny_folder(tmp_path / "folder", QWEN3)
    tokenizer = open_tokenizer(plan_for("tvm", path, tmp_path).artefact)
    assert tokenizer.vocab_size == QWEN3.vocab_size
    assert tokenizer.chat_template is not None


LLAMA_3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}


def test_llama_3_leaves_what_turns_fast_and_slows_down_what_turns_slowly() -> None:
    plain = rope_frequencies(64, 500_000.0, None)
    scaled = rope_frequencies(64, 500_000.0, {"rope_type": "llama3", **LLAMA_3})
    turns = 8192 * plain / (2 * np.pi)
    np.testing.assert_array_equal(scaled[turns > 4], plain[turns > 4])
    np.testing.assert_array_equal(scaled[turns < 1], plain[turns < 1] / 8)
    between = (turns > 1) & (turns < 4)
    assert between.any()
    assert ((scaled < plain) & (scaled > plain / 8))[between].all()


def test_the_base_may_stand_among_the_parameters_as_later_versions_write_it() -> None:
    later = rope_frequencies(64, None, {"rope_type": "default", "rope_theta": 1e6})
    np.testing.assert_array_equal(later, rope_frequencies(64, 1e6, None))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"model_type": "gemma3"}, "architecture 'gemma3'"),
        ({"hidden_act": "gelu"}, "activation 'gelu'"),
        ({"sliding_window": 512, "use_sliding_window": True}, "window of 512 tokens"),
        ({"sliding_window": 512}, "window of 512 tokens"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "scaled by 'yarn'"),
        ({"rope_scaling": {"rope_type": "linear"}}, "factor is None"),
        ({"rope_scaling": {"rope_type": "llama3", **LLAMA_3, "high_freq_factor": 1.0}}, "not above the low"),
        ({"rope_scaling": {"rope_type": ["linear"]}}, "in an unknown way"),
        ({"partial_rotary_factor": 0.5}, "only a part of each head"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantized by 'gptq'"),
        ({"tie_word_embeddings": False}, "'lm_head.weight'"),
        ({"num_key_value_heads": 1}, "has the shape"),
        ({"num_hidden_layers": 3}, "no tensor 'blk.2"),
        ({"num_hidden_layers": 1}, "what its tensor 'blk.1"),
        ({"num_hidden_layers": 10**12}, "config.json cannot be used"),
        ({"num_attention_heads": 0}, "config.json cannot be used"),
        ({"hidden_size": None}, "config.json cannot be used"),
        ({"rms_norm_eps": -1.0}, "rms_norm_eps"),
        ({"head_dim": 48}, "head of 48"),
    ],
)
def test_what_cannot_be_computed_exactly_is_refused(fields: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path = write_tiny_folder(tmp_path, QWEN3, **fields)
    with pytest.raises(NotServable, match=reason):
        SafetensorsSource(path)


def test_a_window_that_is_switched_off_or_as_long_as_the_context_is_none(tmp_path: Path) -> None:
    SafetensorsSource(write_tiny_folder(tmp_path, QWEN3, sliding_window=512, use_sliding_window=False))
    SafetensorsSource(write_tiny_folder(tmp_path, QWEN3, sliding_window=1024))


def test_a_head_that_stands_beside_a_tied_embedding_is_not_read(tmp_path: Path) -> None:
    own_head = next(decoder for decoder in DECODERS if decoder.has_own_head)
    assert (
        SafetensorsSource(write_tiny_folder(tmp_path, own_head, tie_word_embeddings=True)).shape.embedding_bits is None
    )


def test_tensors_that_are_no_floats_and_damaged_files_are_refused(tmp_path: Path) -> None:
    path = write_tiny_folder(tmp_path, QWEN3)
    path.write_bytes(path.read_bytes().replace(b'"F32"', b'"I32"'))
    with pytest.raises(NotServable, match="is I32, not a float"):
        SafetensorsSource(path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(NotServable, match="cut short"):
        SafetensorsSource(path)


def test_an_index_leads_to_no_file_outside_its_folder(tmp_path: Path) -> None:
    path = write_tiny_folder(tmp_path / "folder", QWEN3, num_parts=2)
    write_safetensors(tmp_path / "outside.safetensors", {}, "F32")
    index = path.parent / "model.safetensors.index.json"
    for content in ('{"weight_map": {"a": "../outside.safetensors"}}', '{"weight_map": {}}', "[]", "\udcff"):
        index.write_text(content, errors="surrogateescape")
        with pytest.raises(NotServable, match=r"model\.safetensors\.index\.json"):
            SafetensorsSource(path)


ANYTHING = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text(max_size=4) | st.just({})
FIELDS = ("hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim", "num_hidden_layers", "rms_norm_eps")
OTHERS = ("intermediate_size", "max_position_embeddings", "rope_theta", "rope_scaling", "sliding_window", "layer_types")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(FIELDS + OTHERS), ANYTHING, max_size=3))
def test_whatever_a_configuration_says_ends_in_one_error(tmp_path: Path, fields: dict[str, Any]) -> None:
    path = tmp_path / "model.safetensors"
    if not path.exists():
        write_tiny_folder(tmp_path, QWEN3)
        (tmp_path / "config.json").rename(tmp_path / "first.json")
    first = json.loads((tmp_path / "first.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(first | fields))
    with suppress(NotServable):
        SafetensorsSource(path)
