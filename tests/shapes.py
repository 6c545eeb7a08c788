"""Write GGUF files in the shape of real models with random weights: their speed is real, their text is noise.

    python tests/shapes.py OUT.gguf --shape qwen2.5-0.5b --quantization Q4_0

In Q4_0 files the embedding, which is the output layer, too, is Q8_0: llama.cpp's own Q4_0 files keep it above four bits
as well.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

if not __package__:  # started as a script from a checkout that is not installed
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from models.default.gguf_export import QUANTIZATIONS, gguf_metadata
from models.default.shape import Shape
from models.default.tokenizer import SPECIAL_TOKENS, Tokenizer, byte_alphabet
from models.formats.gguf_writer import Tensor, write_gguf
from models.formats.quantize import Floats

CHUNK_ROWS = 4096


SHAPES = {
    "tiny": Shape(4, 256, 4, 2, 704, 2048, 32_768, 1e6),
    "qwen2.5-0.5b": Shape(24, 896, 14, 2, 4864, 151_936, 32_768, 1e6),
    "qwen2.5-3b": Shape(36, 2048, 16, 2, 11_008, 151_936, 32_768, 1e6),
}


def write_shape(path: Path, shape: str = "tiny", quantization: str = "Q8_0", seed: int = 0) -> None:
    """Write the file; the same seed gives the same bytes."""
    sizes = SHAPES[shape]
    metadata = gguf_metadata("qwen2", f"random-{shape}", quantization, sizes, vocabulary(sizes.vocabulary_size))
    write_gguf(path, metadata, _tensors(sizes, quantization, seed))


def vocabulary(size: int) -> Tokenizer:
    """Return a tokenizer of that many tokens: bytes, then longer and longer words."""
    alphabet = byte_alphabet()
    letters = [alphabet[ord(letter)] for letter in "etaoinshrdlucmfwypvbgkjqxz"]
    tokens = list(alphabet)
    merges: list[tuple[str, str]] = []
    stems = [alphabet[ord(" ")], *letters]
    for stem in stems:  # grows while it is walked: each new token is a stem of longer ones
        for letter in letters:
            if len(tokens) == size - len(SPECIAL_TOKENS):
                return Tokenizer((*tokens, *SPECIAL_TOKENS), tuple(merges))
            tokens.append(stem + letter)
            merges.append((stem, letter))
            stems.append(stem + letter)
    raise AssertionError("the stems never end")


def _tensors(sizes: Shape, quantization: str, seed: int) -> list[Tensor]:
    tensors: list[Tensor] = []

    def matrix(name: str, rows: int, columns: int, tensor_type: str = quantization) -> None:
        chunks: Callable[[], Iterator[Floats]] = partial(_random_rows, rows, columns, (seed, len(tensors)))
        tensors.append(Tensor(name, (rows, columns), tensor_type, chunks))

    def constant(name: str, value: float, width: int) -> None:
        tensors.append(Tensor(name, (width,), "F32", lambda: [np.full(width, value, np.float32)]))

    matrix("token_embd.weight", sizes.vocabulary_size, sizes.width, "Q8_0" if quantization == "Q4_0" else quantization)
    constant("output_norm.weight", 1, sizes.width)
    for layer in range(sizes.num_layers):
        block = f"blk.{layer}."
        constant(block + "attn_norm.weight", 1, sizes.width)
        constant(block + "ffn_norm.weight", 1, sizes.width)
        for name, rows in (("q", sizes.width), ("k", sizes.kv_width), ("v", sizes.kv_width)):
            matrix(f"{block}attn_{name}.weight", rows, sizes.width)
            constant(f"{block}attn_{name}.bias", 0, rows)
        matrix(block + "attn_output.weight", sizes.width, sizes.width)
        matrix(block + "ffn_gate.weight", sizes.feed_forward, sizes.width)
        matrix(block + "ffn_up.weight", sizes.feed_forward, sizes.width)
        matrix(block + "ffn_down.weight", sizes.width, sizes.feed_forward)
    return tensors


def _random_rows(rows: int, columns: int, seed: tuple[int, int]) -> Iterator[Floats]:
    random = np.random.default_rng(seed)
    for start in range(0, rows, CHUNK_ROWS):
        count = min(CHUNK_ROWS, rows - start)
        yield random.standard_normal((count, columns), dtype=np.float32) * np.float32(0.02)


def main() -> None:
    """Write one file, as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--shape", choices=SHAPES, default="qwen2.5-0.5b")
    parser.add_argument("--quantization", choices=QUANTIZATIONS, default="Q4_0")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    write_shape(options.out, options.shape, options.quantization, options.seed)


if __name__ == "__main__":
    main()
