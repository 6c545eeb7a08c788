"""Numbers in 8 and 4 bits, in groups of 32 with one scale each: the NumPy truth that every kernel is held against.

    weights      w ≈ scale * code,  code in [-127, 127] (8 bits) or [-8, 7] (4 bits),  scale float16
    activations  x ≈ scale * code,  code in [-127, 127],                              scale float32

Source: the formats Q8_0 and Q4_0 of llama.cpp (ggml/src/ggml-quants.c), whose codes and scales are taken as they are.
"""

from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

GROUP = 32
"""Numbers that share a scale, along the inner dimension of a product."""

Bits: TypeAlias = Literal[4, 8]
CodeArray: TypeAlias = npt.NDArray[np.int8]
FloatArray: TypeAlias = npt.NDArray[np.float32]
HalfArray: TypeAlias = npt.NDArray[np.float16]

_HIGHEST: dict[Bits, int] = {4: 7, 8: 127}
_LOWEST: dict[Bits, int] = {4: -8, 8: -127}
TINIEST = 1e-30
"""What a group of activations that are all zero is divided by."""


class Weights(NamedTuple):
    """A matrix `(num_outputs, num_inputs)` in codes; `scales` is `(num_outputs, num_inputs / 32) float16`."""

    codes: CodeArray
    scales: HalfArray


class Activations(NamedTuple):
    """Rows `(num_tokens, num_inputs) int8`, their `scales` and the `sums` of their codes, one for each group."""

    codes: CodeArray
    scales: FloatArray
    sums: npt.NDArray[np.int32]


def quantize_weights(matrix: npt.NDArray[np.floating], bits: Bits) -> Weights:
    """Return the nearest codes of `(num_outputs, num_inputs)`; the largest of a group keeps its magnitude.

    In 4 bits it takes the lowest code, whose size no other has: an eighth less error than with 7.
    """
    groups = np.asarray(matrix, np.float32).reshape(len(matrix), -1, GROUP)
    largest = np.take_along_axis(groups, np.abs(groups).argmax(-1)[..., None], -1)[..., 0]
    scales = (largest / -8 if bits == 4 else np.abs(largest) / 127).astype(np.float16)
    divisors = np.where(scales != 0, scales.astype(np.float32), 1)
    codes = np.clip(np.rint(groups / divisors[..., None]), _LOWEST[bits], _HIGHEST[bits])
    return Weights(codes.astype(np.int8).reshape(matrix.shape), scales)


def dequantize_weights(weights: Weights) -> FloatArray:
    """Return the matrix that the codes stand for, `(num_outputs, num_inputs) float32`."""
    groups = weights.codes.reshape(len(weights.codes), -1, GROUP).astype(np.float32)
    return (groups * weights.scales.astype(np.float32)[..., None]).reshape(weights.codes.shape)


def quantize_activations(rows: FloatArray) -> Activations:
    """Return `(num_tokens, num_inputs) float32` in 8 bits, as the kernels do it: rounded to even, never past 127."""
    groups = rows.reshape(len(rows), -1, GROUP)
    largest = np.maximum(np.abs(groups).max(-1), np.float32(TINIEST))
    codes = np.rint(groups * (np.float32(127) / largest)[..., None]).astype(np.int8)
    sums = codes.sum(-1, dtype=np.int32)
    return Activations(codes.reshape(rows.shape), largest * np.float32(1 / 127), sums)


def dequantize_activations(activations: Activations) -> FloatArray:
    """Return the rows that the codes stand for."""
    groups = activations.codes.reshape(len(activations.codes), -1, GROUP).astype(np.float32)
    return (groups * activations.scales[..., None]).reshape(activations.codes.shape)
