"""Small words of TensorIR that the operators share: sixteen lanes at a time, and what LLVM has no instruction for."""

from typing import Any, TypeAlias

from tvm.script import tirx as T

Expr: TypeAlias = Any

LANES = 16
"""Floats in a vector of the kernels' source; narrower registers take two or four of them."""

_LOG2_E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440e-4
_EXP_POLYNOMIAL = (
    1.9875691500e-4,
    1.3981999507e-3,
    8.3334519073e-3,
    4.1665795894e-2,
    1.6666665459e-1,
    5.0000001201e-1,
)


def span(start: Expr, length: int = LANES) -> Expr:
    """Return the indices `[start, start + length)`."""
    return T.ramp(start, 1, length)


def splat(value: Expr, length: int = LANES) -> Expr:
    """Return `value` in every lane."""
    return T.broadcast(value, length)


def floats(value: float, length: int = LANES) -> Expr:
    """Return a constant in every lane."""
    return T.broadcast(T.float32(value), length)


def to_float(vector: Expr, length: int = LANES) -> Expr:
    """Return a vector of any numbers as float32."""
    return T.cast(vector, f"float32x{length}")


def magnitude(vector: Expr, length: int = LANES) -> Expr:
    """Return |x| of each lane."""
    return T.max(vector, floats(0, length) - vector)


def exp(x: Expr, length: int = LANES) -> Expr:
    """Return e^x of each lane to 2 units in the last place, for x <= 88; below -87 it is as good as 0.

    x = n ln 2 + r with |r| <= ln 2 / 2; e^r by a polynomial, 2^n by writing the exponent's bits.
    Source: S. Moshier, Cephes Mathematical Library, `expf`.
    """
    x = T.max(T.min(x, floats(88.0, length)), floats(-87.0, length))
    n = T.floor(x * floats(_LOG2_E, length) + floats(0.5, length))
    r = x - n * floats(_LN2_HIGH, length) - n * floats(_LN2_LOW, length)
    power = floats(_EXP_POLYNOMIAL[0], length)
    for coefficient in _EXP_POLYNOMIAL[1:]:
        power = power * r + floats(coefficient, length)
    power = power * r * r + r + floats(1.0, length)
    exponent = T.cast(n, f"int32x{length}") + T.broadcast(T.int32(127), length)
    return power * T.reinterpret(exponent << T.broadcast(T.int32(23), length), dtype=f"float32x{length}")


def largest_of(vector: Expr) -> Expr:
    """Return the greatest of sixteen floats."""
    return T.call_llvm_pure_intrin(T.llvm_lookup_intrinsic_id("llvm.vector.reduce.fmax"), vector, dtype="float32")


def largest_magnitude_of(vector: Expr) -> Expr:
    """Return the greatest of sixteen floats of which none is negative.

    The bits of such floats stand in their order as integers, which LLVM compares by halves: floats it goes through one
    by one, minding NaNs.
    """
    bits = T.reinterpret(vector, dtype=f"int32x{LANES}")
    largest = T.call_llvm_pure_intrin(T.llvm_lookup_intrinsic_id("llvm.vector.reduce.smax"), bits, dtype="int32")
    return T.reinterpret(largest, dtype="float32")


def sum_of_integers(vector: Expr) -> Expr:
    """Return the sum of sixteen int32."""
    return T.call_llvm_pure_intrin(T.llvm_lookup_intrinsic_id("llvm.vector.reduce.add"), vector, dtype="int32")
