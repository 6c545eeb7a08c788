"""The weights of one model as the kernels read them: one file, mapped into memory, each array on a page of its own.

array, padding to 4,096 bytes, array, ...      in the order of `kernels.shape.weight_specs`
"""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from appliance.backends.tvm.gguf_source import GgufSource
from kernels.packing import pack
from kernels.shape import LAYER_MATRICES, DecoderShape, Matrix, WeightSpec, weight_specs

_ALIGNMENT_BYTES = 4096
_TENSORS: dict[str, tuple[str, ...]] = {
    "qkv": ("attn_q", "attn_k", "attn_v"),
    "output": ("attn_output",),
    "gate_up": ("ffn_gate", "ffn_up"),
    "down": ("ffn_down",),
}
Array = npt.NDArray[np.uint8] | npt.NDArray[np.float16] | npt.NDArray[np.float32]


def file_bytes(shape: DecoderShape) -> int:
    """Return the length of the file."""
    return _offsets(weight_specs(shape))[-1]


def write_weights(source: GgufSource, path: Path, int8_offset: int, progress: Callable[[float], None]) -> None:
    """Repack a model; `progress` is told ratios. Raises: NotServable, OSError."""
    specs = weight_specs(source.shape)
    offsets = _offsets(specs)
    with path.open("wb") as stream:
        for array, spec, offset in zip(_arrays(source, int8_offset), specs, offsets, strict=False):
            assert array.shape == spec.shape and array.dtype == spec.dtype
            stream.seek(offset)
            stream.write(array.data)
            progress(offset / offsets[-1])
        stream.truncate(offsets[-1])
    progress(1.0)


def map_weights(path: Path, shape: DecoderShape) -> list[Array]:
    """Return every array, mapped: nothing is read before it is used, and the processes that map it share it.

    Copy on write, because a library that may write to its arguments does not take what is read-only.
    """
    specs = weight_specs(shape)
    content = np.memmap(path, np.uint8, mode="c")
    return [
        content[offset : offset + _size_bytes(spec)].view(spec.dtype).reshape(spec.shape)
        for spec, offset in zip(specs, _offsets(specs), strict=False)
    ]


def _offsets(specs: list[WeightSpec]) -> list[int]:
    """Return where each array begins, and where the file ends."""
    offsets = [0]
    for spec in specs:
        offsets.append(offsets[-1] + -(-_size_bytes(spec) // _ALIGNMENT_BYTES) * _ALIGNMENT_BYTES)
    return offsets


def _size_bytes(spec: WeightSpec) -> int:
    return math.prod(spec.shape) * np.dtype(spec.dtype).itemsize


def _arrays(source: GgufSource, int8_offset: int) -> Iterator[Array]:
    """Yield the arrays of a model in the order of its specs, a matrix at a time in memory."""
    shape = source.shape

    def packed(name: Matrix, tensors: tuple[str, ...], layer: int | None = None) -> Iterator[Array]:
        bits = shape.matrix(name, layer)[2]
        yield from pack(source.matrix(tensors, bits), bits, int8_offset)

    if shape.embedding_bits is not None:
        yield from packed("embedding", ("token_embd.weight",))
    for layer in range(len(shape.layers)):
        block = f"blk.{layer}."
        for name in LAYER_MATRICES:
            if name == "qkv":
                yield source.tensor(f"{block}attn_norm.weight")
            elif name == "gate_up":
                yield source.tensor(f"{block}ffn_norm.weight")
            yield from packed(name, tuple(f"{block}{tensor}.weight" for tensor in _TENSORS[name]), layer)
            if name == "qkv":
                yield _bias(source, block)
                yield _head_norms(source, block)
    yield source.tensor("output_norm.weight")
    yield from packed("head", ("output.weight" if shape.embedding_bits is not None else "token_embd.weight",))


def _bias(source: GgufSource, block: str) -> npt.NDArray[np.float32]:
    if not source.shape.heads.has_bias:
        return np.zeros(source.shape.heads.width, np.float32)
    return np.concatenate([source.tensor(f"{block}attn_{name}.bias") for name in "qkv"])


def _head_norms(source: GgufSource, block: str) -> npt.NDArray[np.float32]:
    if source.shape.heads.norm_epsilon is None:
        return np.ones((2, source.shape.heads.size), np.float32)
    return np.stack([source.tensor(f"{block}attn_{name}_norm.weight") for name in "qk"])
