"""Activations to 8 bits: x (n, K) float32 -> codes (n, K) int8, scales (n, K/32) float32, sums (n, K/32) int32.

The last act of every operator whose result a matrix product reads, so it is an inline that others end with; alone it
follows attention.
"""

from functools import cache

from tvm.script import tirx as T
from tvm.tirx import PrimFunc

from kernels.quantization import GROUP, TINIEST, quantize_activations
from kernels.vectors import LANES, floats, largest_magnitude_of, magnitude, rounded, span, splat, sum_of_integers

SERIAL_TOKENS = 8
"""Below so many tokens, waking other threads takes longer than the work."""

reference = quantize_activations


@T.inline
def store_group(values, XQ, XS, SUMS, token, group):
    """Quantize the 32 floats of the local buffer `values` as one group."""
    with T.sblock("quantize"):
        T.reads()
        T.writes()
        largest = T.sblock_alloc_buffer((1,), "float32", scope="local")
        codes = T.sblock_alloc_buffer((GROUP,), "int32", scope="local")
        largest[0] = largest_magnitude_of(
            T.max(T.max(magnitude(values[span(0)]), magnitude(values[span(LANES)])), floats(TINIEST))
        )
        XS[token, group] = largest[0] * T.float32(1 / 127)
        largest[0] = T.float32(127) / largest[0]
        for half in T.unroll(GROUP // LANES):
            codes[span(half * LANES)] = rounded(values[span(half * LANES)] * splat(largest[0]))
            XQ[token, span(group * GROUP + half * LANES)] = T.cast(codes[span(half * LANES)], f"int8x{LANES}")
        SUMS[token, group] = sum_of_integers(codes[span(0)] + codes[span(LANES)])


@cache
def quantize(width: int) -> PrimFunc:
    """Return `f(x, xq, xs, sums)` for rows of `width` floats, a multiple of 32."""

    @T.inline
    def row(X, XQ, XS, SUMS, token):
        with T.sblock("row"):
            T.reads()
            T.writes()
            values = T.sblock_alloc_buffer((GROUP,), "float32", scope="local")
            for group in T.serial(width // GROUP):
                for half in T.unroll(GROUP // LANES):
                    values[span(half * LANES)] = X[token, span(group * GROUP + half * LANES)]
                store_group(values, XQ, XS, SUMS, token, group)

    @T.prim_func(s_tir=True)
    def quantize_kernel(x: T.handle, xq: T.handle, xs: T.handle, sums: T.handle):
        T.func_attr({"tirx.noalias": True, "tirx.is_scheduled": True})
        n = T.int64()
        X = T.match_buffer(x, (n, width), "float32")
        XQ = T.match_buffer(xq, (n, width), "int8")
        XS = T.match_buffer(xs, (n, width // GROUP), "float32")
        SUMS = T.match_buffer(sums, (n, width // GROUP), "int32")
        if n < SERIAL_TOKENS:
            for token in T.serial(n):
                row(X, XQ, XS, SUMS, token)
        else:
            for token in T.parallel(n):
                row(X, XQ, XS, SUMS, token)

    return quantize_kernel
