"""Small words of TensorIR that the operators share: sixteen lanes at a time, and what LLVM has no instruction for."""

from typing import Any, TypeAlias

from tvm.script import tirx as T

Expr: TypeAlias = Any
"""An expression of TensorIR."""

LANES = 16
"""Floats in a vector of the kernels' source; narrower registers take two or four of them."""

_LOG2_E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440e-4
_MAGIC = 1.5 * 2**23  # where the least bit of a float is 1: what is added to it is rounded to a whole number
_MAGIC_BITS = 0x4B400000
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


def fused(a: Expr, b: Expr, c: Expr, length: int = LANES) -> Expr:
    """Return a b + c, rounded once: where the compiler must not choose which product of a sum to fuse."""
    dtype = "float32" if length == 1 else f"float32x{length}"
    return T.call_llvm_pure_intrin(T.llvm_lookup_intrinsic_id("llvm.fma"), a, b, c, dtype=dtype)


def magnitude(vector: Expr, length: int = LANES) -> Expr:
    """Return |x| of each lane."""
    return T.max(vector, floats(0, length) - vector)


def exp(x: Expr, length: int = LANES) -> Expr:
    """Return e^x of each lane to 2 units in the last place, for x <= 88; below -87 it is as good as 0.

    x = n ln 2 + r with |r| <= ln 2 / 2; e^r by a polynomial, whose terms are paired so that few wait for others; 2^n by
    writing the exponent's bits, which the sum that rounds to n holds in its lowest.
    Source: S. Moshier, Cephes Mathematical Library, `expf`.
    """
    x = T.max(T.min(x, floats(88.0, length)), floats(-87.0, length))
    shifted = fused(x, floats(_LOG2_E, length), floats(_MAGIC, length), length)  # TVM would undo a plain sum
    n = shifted - floats(_MAGIC, length)
    r = x - n * floats(_LN2_HIGH, length) - n * floats(_LN2_LOW, length)
    square = r * r
    pairs = [
        floats(high, length) * r + floats(low, length)
        for high, low in zip(_EXP_POLYNOMIAL[::2], _EXP_POLYNOMIAL[1::2], strict=True)
    ]
    power = (pairs[0] * square + pairs[1]) * square + pairs[2]
    power = power * square + r + floats(1.0, length)
    exponent = T.reinterpret(shifted, dtype=f"int32x{length}") + T.broadcast(T.int32(127), length)
    return power * T.reinterpret(exponent << T.broadcast(T.int32(23), length), dtype=f"float32x{length}")


def rounded(vector: Expr, length: int = LANES) -> Expr:
    """Return the whole number nearest to each lane, of two the even one, as int32; for magnitudes below 2^22."""
    bits = T.reinterpret(vector + floats(_MAGIC, length), dtype=f"int32x{length}")
    return bits - T.broadcast(T.int32(_MAGIC_BITS), length)


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


def fetch(element: Expr) -> Expr:
    """Ask for the cache line of an element, which may lie behind the end of its array: nothing waits, nothing fails."""
    reads, keep, data = T.int32(0), T.int32(3), T.int32(1)
    prefetch = T.llvm_lookup_intrinsic_id("llvm.prefetch")
    return T.call_llvm_intrin(prefetch, T.address_of(element), reads, keep, data, dtype="void")


def sum_of_integers(vector: Expr) -> Expr:
    """Return the sum of sixteen int32."""
    return T.call_llvm_pure_intrin(T.llvm_lookup_intrinsic_id("llvm.vector.reduce.add"), vector, dtype="int32")
