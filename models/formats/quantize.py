"""Turn float32 rows into GGML blocks and back: F32, F16, BF16, Q8_0 and Q4_0, in numpy.

Source: ggml-quants.c, quantize_row_q8_0_ref and quantize_row_q4_0_ref; block layouts in ggml-common.h.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from models.formats.float_tensors import as_float32

Floats = npt.NDArray[np.float32]

BLOCK_ELEMENTS = 32
_Q8_0 = np.dtype([("scale", "<f2"), ("values", "i1", BLOCK_ELEMENTS)])
_Q4_0 = np.dtype([("scale", "<f2"), ("values", "u1", BLOCK_ELEMENTS // 2)])


def encode(values: Floats, tensor_type: str) -> bytes:
    """Return `values` as the bytes of a tensor of that type.

    The last dimension must hold whole blocks (32 elements for Q8_0 and Q4_0). Raises: ValueError.
    """
    if tensor_type not in _ENCODERS:
        raise ValueError(f"cannot write tensor type {tensor_type!r}; one of {', '.join(_ENCODERS)} is needed")
    return _ENCODERS[tensor_type](np.ascontiguousarray(values, dtype=np.float32))


def decode(data: bytes, tensor_type: str) -> Floats:
    """Return the float32 numbers of a tensor's bytes, as one row. Raises: ValueError."""
    if tensor_type not in _DECODERS:
        raise ValueError(f"cannot read tensor type {tensor_type!r}; one of {', '.join(_DECODERS)} is needed")
    return _DECODERS[tensor_type](data)


def quantize_q8_0(values: Floats) -> bytes:
    """Store each 32 numbers as a float16 scale and 32 signed bytes."""
    blocks = _blocks(values)
    scale = np.abs(blocks).max(axis=1) / 127
    scaled = blocks * _inverse(scale)[:, None]
    out = np.empty(len(blocks), _Q8_0)
    out["scale"] = scale
    out["values"] = np.trunc(scaled + np.copysign(np.float32(0.5), scaled))  # halves go away from zero, as C's roundf
    return out.tobytes()


def dequantize_q8_0(data: bytes) -> Floats:
    """Undo quantize_q8_0 up to its rounding."""
    blocks = np.frombuffer(data, _Q8_0)
    values: Floats = blocks["scale"].astype(np.float32)[:, None] * blocks["values"]
    return values.reshape(-1)


def quantize_q4_0(values: Floats) -> bytes:
    """Store each 32 numbers as a float16 scale and 32 nibbles; nibble 0 stands for the number of largest size."""
    blocks = _blocks(values)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1)[:, None], axis=1)[:, 0]
    scale = largest / np.float32(-8)
    levels = np.minimum(blocks * _inverse(scale)[:, None] + np.float32(8.5), 15).astype(np.uint8)
    half = BLOCK_ELEMENTS // 2
    out = np.empty(len(blocks), _Q4_0)
    out["scale"] = scale
    out["values"] = levels[:, :half] | (levels[:, half:] << 4)
    return out.tobytes()


def dequantize_q4_0(data: bytes) -> Floats:
    """Undo quantize_q4_0 up to its rounding."""
    blocks = np.frombuffer(data, _Q4_0)
    packed = blocks["values"]
    levels = np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.float32) - 8
    return (blocks["scale"].astype(np.float32)[:, None] * levels).reshape(-1)


def _blocks(values: Floats) -> Floats:
    if values.shape[-1] % BLOCK_ELEMENTS:
        raise ValueError(f"rows of {values.shape[-1]} elements do not divide into blocks of {BLOCK_ELEMENTS}")
    return values.reshape(-1, BLOCK_ELEMENTS)


def _inverse(scale: Floats) -> Floats:
    """Return 1 / scale, and 0 for a block of zeros."""
    return np.divide(1, scale, out=np.zeros_like(scale), where=scale != 0)


def _to_bf16(values: Floats) -> bytes:
    """Keep the upper half of each number, rounded to the nearest and halves to even; what is no number stays none."""
    bits = values.view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    quiet = (bits >> np.uint32(16)) | np.uint32(64)
    return np.where(np.isnan(values), quiet, rounded).astype("<u2").tobytes()


def _as_bytes(dtype: str) -> Callable[[npt.NDArray[Any]], bytes]:
    return lambda values: values.astype(dtype).tobytes()


def _from_floats(dtype: str) -> Callable[[bytes], Floats]:
    return lambda data: as_float32(np.frombuffer(data, np.uint8), dtype)


_ENCODERS: dict[str, Callable[[Floats], bytes]] = {
    "F32": _as_bytes("<f4"),
    "F16": _as_bytes("<f2"),
    "BF16": _to_bf16,
    "Q8_0": quantize_q8_0,
    "Q4_0": quantize_q4_0,
}
_DECODERS: dict[str, Callable[[bytes], Floats]] = {
    **{dtype: _from_floats(dtype) for dtype in ("F32", "F16", "BF16")},
    "Q8_0": dequantize_q8_0,
    "Q4_0": dequantize_q4_0,
}
