"""Write a model of a real model's shape and cost that repeats a text, for measuring speculative decoding.

    python tests/bench/copying_model.py OUT.gguf --shape qwen2.5-0.5b --quantization Q4_0

A model with random weights never copies, and one that was trained is not at hand everywhere. Here every layer computes
as much as in the real model, but adds nothing to the residual stream (the output projections of attention and
feed-forward are zero), and row `u` of the output layer is the embedding of the token before `u` in a cycle of
`CYCLE_TOKENS` ids. So token `t` is always followed by `successor(t)`: a passage of consecutive ids that was changed in
some places is written again without the changes, as an editor's answer would be.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

CYCLE_TOKENS = 512


def successor(token: int) -> int:
    """Return the token that the model writes after this one."""
    first = token - token % CYCLE_TOKENS
    return first + (token - first + 1) % CYCLE_TOKENS


def write_copying_model(path: Path, shape: str, quantization: str, seed: int = 0) -> None:
    """Write the file. Ids past the last whole cycle are followed by themselves."""
    from models.default.gguf_export import gguf_metadata
    from models.formats.gguf_writer import Tensor, write_gguf
    from tests.shapes import SHAPES, _tensors, vocabulary

    sizes = SHAPES[shape]
    tensors = [
        Tensor(tensor.name, tensor.shape, tensor.tensor_type, partial(_zeros, tensor.chunks))
        if tensor.name.endswith(("attn_output.weight", "ffn_down.weight"))
        else tensor
        for tensor in _tensors(sizes, quantization, seed)
    ]
    embedding = next(tensor for tensor in tensors if tensor.name == "token_embd.weight")
    output = Tensor("output.weight", embedding.shape, embedding.tensor_type, partial(_shifted, embedding.chunks))
    metadata = gguf_metadata("qwen2", f"copying-{shape}", quantization, sizes, vocabulary(sizes.vocabulary_size))
    write_gguf(path, metadata, [*tensors, output])


Rows = npt.NDArray[np.float32]
Chunks = Callable[[], Iterable[Rows]]


def _zeros(chunks: Chunks) -> Iterator[Rows]:
    for rows in chunks():
        yield np.zeros_like(rows)


def _shifted(chunks: Chunks) -> Iterator[Rows]:
    for rows in chunks():
        num_whole = len(rows) - len(rows) % CYCLE_TOKENS
        cycles = rows[:num_whole].reshape(-1, CYCLE_TOKENS, rows.shape[1])
        yield np.concatenate((np.roll(cycles, 1, axis=1).reshape(num_whole, rows.shape[1]), rows[num_whole:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--shape", default="qwen2.5-0.5b")
    parser.add_argument("--quantization", default="Q4_0")
    options = parser.parse_args()
    write_copying_model(options.out, options.shape, options.quantization)


if __name__ == "__main__":
    main()
