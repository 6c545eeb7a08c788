"""Small decoders with random weights as GGUF files, one for each thing in which the families of Llama differ."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.formats.gguf_writer import Tensor, Value, write_gguf

NUM_LAYERS, WIDTH, FEED_FORWARD = 2, 128, 320


@dataclass(frozen=True, slots=True)
class TinyDecoder:
    """What a file says of itself. `matrices` is the type of its matrices."""

    name: str
    architecture: str
    num_heads: int = 4
    num_kv_heads: int = 2
    head_size: int = 32
    matrices: str = "Q8_0"
    has_bias: bool = False
    has_head_norms: bool = False
    has_own_head: bool = False
    rope_factors: bool = False
    linear_scaling: float | None = None
    vocab_size: int = 300


DECODERS = (
    TinyDecoder("llama", "llama", has_own_head=True),
    TinyDecoder("llama-3", "llama", rope_factors=True, num_heads=4, num_kv_heads=1),
    TinyDecoder("llama-scaled", "llama", linear_scaling=4.0, matrices="Q4_0"),
    TinyDecoder("qwen2", "qwen2", has_bias=True, num_heads=2, head_size=64),
    TinyDecoder("qwen3", "qwen3", has_head_norms=True, head_size=64),
    TinyDecoder("floats", "qwen2", has_bias=True, matrices="F16"),
)


def write_tiny_decoder(path: Path, decoder: TinyDecoder) -> None:
    """Write the file; the same decoder gives the same bytes."""
    write_gguf(path, _metadata(decoder), list(tensors_of(decoder)))


def _metadata(decoder: TinyDecoder) -> dict[str, Value]:
    keys: dict[str, Value] = {
        "block_count": NUM_LAYERS,
        "context_length": 1024,
        "embedding_length": WIDTH,
        "feed_forward_length": FEED_FORWARD,
        "attention.head_count": decoder.num_heads,
        "attention.head_count_kv": decoder.num_kv_heads,
        "attention.key_length": decoder.head_size,
        "attention.value_length": decoder.head_size,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.freq_base": 10_000.0,
    }
    if decoder.linear_scaling is not None:
        keys |= {"rope.scaling.type": "linear", "rope.scaling.factor": decoder.linear_scaling}
    named = {f"{decoder.architecture}.{key}": value for key, value in keys.items()}
    return {"general.architecture": decoder.architecture, "general.file_type": 7, **named}


def tensors_of(decoder: TinyDecoder) -> Iterator[Tensor]:
    """Yield its tensors."""
    attended, kv_width = decoder.num_heads * decoder.head_size, decoder.num_kv_heads * decoder.head_size
    yield _matrix("token_embd.weight", decoder.vocab_size, WIDTH, decoder.matrices, 1.0)
    yield _vector("output_norm.weight", WIDTH)
    if decoder.has_own_head:
        yield _matrix("output.weight", decoder.vocab_size, WIDTH, decoder.matrices)
    if decoder.rope_factors:
        yield _vector("rope_freqs.weight", decoder.head_size // 2)
    for layer in range(NUM_LAYERS):
        block = f"blk.{layer}."
        yield _vector(f"{block}attn_norm.weight", WIDTH)
        yield _vector(f"{block}ffn_norm.weight", WIDTH)
        for name, rows in (("q", attended), ("k", kv_width), ("v", kv_width)):
            yield _matrix(f"{block}attn_{name}.weight", rows, WIDTH, decoder.matrices)
            if decoder.has_bias:
                yield _vector(f"{block}attn_{name}.bias", rows)
            if decoder.has_head_norms and name != "v":
                yield _vector(f"{block}attn_{name}_norm.weight", decoder.head_size)
        yield _matrix(f"{block}attn_output.weight", WIDTH, attended, decoder.matrices)
        yield _matrix(f"{block}ffn_gate.weight", FEED_FORWARD, WIDTH, decoder.matrices)
        yield _matrix(f"{block}ffn_up.weight", FEED_FORWARD, WIDTH, decoder.matrices)
        yield _matrix(f"{block}ffn_down.weight", WIDTH, FEED_FORWARD, decoder.matrices)


def _matrix(name: str, rows: int, columns: int, tensor_type: str, size: float = 0.7) -> Tensor:
    return Tensor(name, (rows, columns), tensor_type, partial(_random, name, (rows, columns), size * columns**-0.5))


def _vector(name: str, length: int) -> Tensor:
    return Tensor(name, (length,), "F32", partial(_random, name, (length,), 0.2, 1.0))


def _random(name: str, shape: tuple[int, ...], size: float, mean: float = 0.0) -> list[npt.NDArray[np.float32]]:
    random = np.random.default_rng(list(name.encode()))
    return [(mean + size * random.standard_normal(shape)).astype(np.float32)]
