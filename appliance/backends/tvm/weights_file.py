"""The weights of one model as the kernels read them: one file, mapped into memory, each array on a page of its own.

array, padding to 4,096 bytes, array, ...      in the order of `kernels.shape.weight_specs`
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import numpy.typing as npt

from appliance.backends.tvm.source import Source
from kernels.packing import pack
from kernels.shape import DecoderShape, Matrix, WeightSpec, weight_specs

_ALIGNMENT_BYTES = 4096
_CODES, _SCALES = "_codes", "_scales"
_MATRICES: dict[Matrix, tuple[str, ...]] = {
    "qkv": ("attn_q", "attn_k", "attn_v"),
    "output": ("attn_output",),
    "gate_up": ("ffn_gate", "ffn_up"),
    "down": ("ffn_down",),
    "embedding": ("token_embd",),
    "head": ("output",),
}
_NORMS = {"attention_norm": "attn_norm", "feed_forward_norm": "ffn_norm", "final_norm": "output_norm"}
Array = npt.NDArray[np.uint8] | npt.NDArray[np.float16] | npt.NDArray[np.float32]


def file_bytes(shape: DecoderShape) -> int:
    """Return the length of the file."""
    return _offsets(weight_specs(shape))[-1]


def write_weights(source: Source, path: Path, int8_offset: int, progress: Callable[[float], None]) -> None:
    """Repack a model, a piece of a matrix at a time; `progress` is told ratios. Raises: NotServable, OSError."""
    specs = weight_specs(source.shape)
    offsets = _offsets(specs)
    with path.open("wb") as stream:
        for index, (spec, offset) in enumerate(zip(specs, offsets, strict=False)):
            if spec.name.endswith(_CODES):
                _write_matrix(stream, source, spec, (offset, offsets[index + 1]), int8_offset)
            elif not spec.name.endswith(_SCALES):
                _write_at(stream, offset, _vector(source, spec))
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


def _write_matrix(
    stream: BinaryIO, source: Source, spec: WeightSpec, offsets: tuple[int, int], int8_offset: int
) -> None:
    """Write the codes and the scales of a matrix, each from its offset on: the two fill up side by side."""
    matrix = cast(Matrix, spec.name.removesuffix(_CODES))
    bits = source.shape.matrix(matrix, spec.layer)[2]
    codes_offset, scales_offset = offsets
    for tensor in _MATRICES[matrix]:
        for piece in source.pieces(_name(source.shape, tensor, spec.layer), bits):
            packed = pack(piece, bits, int8_offset)
            codes_offset = _write_at(stream, codes_offset, packed.codes)
            scales_offset = _write_at(stream, scales_offset, packed.scales)
    assert codes_offset == offsets[0] + _size_bytes(spec)


def _write_at(stream: BinaryIO, offset: int, array: Array) -> int:
    """Write an array and return where it ends."""
    stream.seek(offset)
    stream.write(array.data)
    return offset + array.nbytes


def _name(shape: DecoderShape, tensor: str, layer: int | None) -> str:
    """Return what a tensor is called in the source; where there is no head, the embedding is it."""
    if layer is not None:
        return f"blk.{layer}.{tensor}.weight"
    return "token_embd.weight" if tensor == "output" and shape.embedding_bits is None else f"{tensor}.weight"


def _vector(source: Source, spec: WeightSpec) -> npt.NDArray[np.float32]:
    """Return an array that is no matrix; what a model has not is filled in so that it changes nothing."""
    heads, block = source.shape.heads, f"blk.{spec.layer}."
    if spec.name == "qkv_bias":
        biases = [source.tensor(f"{block}attn_{name}.bias") for name in "qkv"] if heads.has_bias else []
        return np.concatenate(biases) if biases else np.zeros(spec.shape, np.float32)
    if spec.name == "head_norms":
        norms = [source.tensor(f"{block}attn_{name}_norm.weight") for name in "qk"] if heads.norm_epsilon else []
        return np.stack(norms) if norms else np.ones(spec.shape, np.float32)
    return source.tensor(_name(source.shape, _NORMS[spec.name], spec.layer))
