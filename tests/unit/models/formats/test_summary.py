"""The details of a model, as its own file tells them."""

from pathlib import Path

import numpy as np

from models.embedded import embedded_manifest
from models.formats.gguf import GGUFFile, read_gguf
from models.formats.gguf_writer import Tensor, Value, write_gguf
from models.formats.summary import summarize_gguf
from models.manifest import ModelDetails
from tests.shapes import write_shape


def head(path: Path, metadata: dict[str, Value]) -> GGUFFile:
    zeros = np.zeros((4, 32), np.float32)
    write_gguf(path, metadata, [Tensor("t", zeros.shape, "Q8_0", lambda: [zeros])])
    return read_gguf(path)


def test_the_embedded_model_is_described_in_full() -> None:
    manifest = embedded_manifest()
    assert manifest.name == "guide"
    assert manifest.files[0].role == "embedded"
    assert manifest.size_bytes < 9_000_000
    assert manifest.details == ModelDetails(
        architecture="llama",
        name="guide",
        licence="apache-2.0",
        num_parameters=6_557_440,
        quantization="Q8_0",
        weights_bytes=6_978_560,
        context_length_tokens=2048,
        embedding_length=256,
        num_layers=7,
        num_heads=4,
        num_kv_heads=2,
        total_kv_heads=14,
        key_length=64,
        value_length=64,
        feed_forward_length=768,
        vocab_size=4096,
        tokenizer="gpt2",
        has_chat_template=True,
    )


def test_what_a_file_does_not_say_is_unknown(tmp_path: Path) -> None:
    assert summarize_gguf(head(tmp_path / "x.gguf", {})) == ModelDetails(num_parameters=128, weights_bytes=136)


def test_a_value_of_the_wrong_type_is_unknown(tmp_path: Path) -> None:
    metadata: dict[str, Value] = {"general.architecture": "a", "a.block_count": "many", "general.file_type": 999}
    details = summarize_gguf(head(tmp_path / "x.gguf", metadata))
    assert details.num_layers is None
    assert details.quantization is None


def test_heads_that_differ_between_layers_are_counted_layer_by_layer(tmp_path: Path) -> None:
    metadata: dict[str, Value] = {
        "general.architecture": "a",
        "a.block_count": 3,
        "a.attention.head_count": 8,
        "a.attention.head_count_kv": [4, 0, 2],
        "a.embedding_length": 256,
        "a.attention.key_length": 64,
    }
    details = summarize_gguf(head(tmp_path / "x.gguf", metadata))
    assert (details.num_kv_heads, details.total_kv_heads) == (4, 6)
    assert (details.key_length, details.value_length) == (64, 32)


def test_an_embedding_model_and_experts_are_recognized(tmp_path: Path) -> None:
    metadata: dict[str, Value] = {
        "general.architecture": "a",
        "a.pooling_type": 1,
        "a.expert_count": 64,
        "a.expert_used_count": 8,
        "a.attention.sliding_window": 4096,
    }
    details = summarize_gguf(head(tmp_path / "x.gguf", metadata))
    assert details.is_embedding
    assert (details.num_experts, details.num_experts_used, details.sliding_window_tokens) == (64, 8, 4096)
    metadata["a.pooling_type"] = 0
    assert not summarize_gguf(head(tmp_path / "x.gguf", metadata)).is_embedding


def test_the_shards_of_a_model_are_added_up(tmp_path: Path) -> None:
    first, second = head(tmp_path / "1.gguf", {"general.architecture": "a"}), head(tmp_path / "2.gguf", {})
    details = summarize_gguf(first, second)
    assert (details.architecture, details.num_parameters, details.weights_bytes) == ("a", 256, 272)


def test_a_random_shape_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    write_shape(tmp_path / "a.gguf", "tiny", "Q4_0", seed=1)
    write_shape(tmp_path / "b.gguf", "tiny", "Q4_0", seed=1)
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()
    file = read_gguf(tmp_path / "a.gguf")
    assert summarize_gguf(file).quantization == "Q4_0"
    assert {tensor.name: tensor.type for tensor in file.tensors}["token_embd.weight"] == "Q8_0"
