"""A GGUF file whose layers, all but each fourth, see the latest tokens only."""

from pathlib import Path

import numpy as np

from models.default.gguf_export import gguf_metadata
from models.formats.gguf_writer import Tensor, write_gguf
from models.formats.quantize import Floats
from tests.shapes import SHAPES, vocabulary

WINDOW_TOKENS = 24


def write_sliding_window(path: Path) -> None:
    """Write a small network of Cohere's second architecture with random weights."""
    sizes, random = SHAPES["tiny"], np.random.default_rng(0)
    metadata = gguf_metadata("cohere2", "window", "F16", sizes, vocabulary(sizes.vocabulary_size))
    metadata["cohere2.attention.sliding_window"] = WINDOW_TOKENS
    metadata["cohere2.attention.layer_norm_epsilon"] = 1e-5
    metadata["cohere2.logit_scale"] = 1.0

    def matrix(name: str, rows: int, columns: int) -> Tensor:
        values: Floats = random.standard_normal((rows, columns), np.float32) * np.float32(0.02)
        return Tensor(f"{name}.weight", (rows, columns), "F16", lambda: [values])

    def norm(name: str) -> Tensor:
        return Tensor(f"{name}.weight", (sizes.width,), "F32", lambda: [np.ones(sizes.width, np.float32)])

    tensors = [matrix("token_embd", sizes.vocabulary_size, sizes.width), norm("output_norm")]
    for layer in range(sizes.num_layers):
        block = f"blk.{layer}."
        tensors.append(norm(block + "attn_norm"))
        for name, rows in (("q", sizes.width), ("k", sizes.kv_width), ("v", sizes.kv_width), ("output", sizes.width)):
            tensors.append(matrix(f"{block}attn_{name}", rows, sizes.width))
        tensors.append(matrix(block + "ffn_gate", sizes.feed_forward, sizes.width))
        tensors.append(matrix(block + "ffn_up", sizes.feed_forward, sizes.width))
        tensors.append(matrix(block + "ffn_down", sizes.width, sizes.feed_forward))
    write_gguf(path, metadata, tensors)
