"""A float matrix as blocks of small integers, by the library's own kernels.

Source: ONNX Runtime, docs/ContribOperators.md, com.microsoft.MatMulNBits: the layout of weights, scales, zero points.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from onnxruntime.capi import _pybind_state as kernels  # not public, but what the library's own quantizer calls

from appliance.backends.onnx.matrices import FloatArray


@dataclass(frozen=True, slots=True)
class Packing:
    """How a matrix is stored: `bits` a value, one scale for each `block_size` values of a column."""

    bits: int
    block_size: int
    is_symmetric: bool


@dataclass(frozen=True, slots=True)
class Packed:
    """Weights `(num_columns, num_blocks, block_bytes)`, scales `(num_columns, num_blocks)`, zero points or None."""

    weights: npt.NDArray[np.uint8]
    scales: FloatArray
    zero_points: npt.NDArray[np.uint8] | None


def pack(values: FloatArray, packing: Packing) -> Packed:
    """Return the matrix `(num_rows, num_columns)` in blocks along its rows; the last block is filled up with zeros."""
    num_rows, num_columns = values.shape
    num_blocks = -(-num_rows // packing.block_size)
    filling = num_blocks * packing.block_size - num_rows
    padded = np.pad(values, ((0, filling), (0, 0))) if filling else np.ascontiguousarray(values)
    weights = np.zeros((num_columns, num_blocks, packing.block_size * packing.bits // 8), np.uint8)
    scales = np.zeros((num_columns, num_blocks), np.float32)
    zero_points = np.zeros((num_columns, -(-num_blocks * packing.bits // 8)), np.uint8)
    kernel = kernels.quantize_matmul_4bits if packing.bits == 4 else kernels.quantize_matmul_8bits
    kernel(weights, padded, scales, zero_points, packing.block_size, num_columns, num_rows, packing.is_symmetric)
    return Packed(weights, scales, None if packing.is_symmetric else zero_points)
