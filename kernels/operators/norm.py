"""RMSNorm, with its result in 8 bits: x (n, K) float32, weight (K,) float32 -> codes, scales, sums.

    y = x / sqrt(mean(x^2) + epsilon) * weight

Source: B. Zhang, R. Sennrich, "Root Mean Square Layer Normalization", 2019.
"""

from functools import cache

import numpy as np
from tvm.script import tirx as T
from tvm.tirx import PrimFunc

from kernels.operators.quantize import SERIAL_TOKENS, store_group
from kernels.quantization import GROUP, Activations, FloatArray, quantize_activations
from kernels.vectors import LANES, floats, span, splat


def reference(x: FloatArray, weight: FloatArray, epsilon: float) -> Activations:
    """Return the norm of each row, quantized."""
    return quantize_activations(normalized(x, weight, epsilon))


def normalized(x: FloatArray, weight: FloatArray, epsilon: float) -> FloatArray:
    """Return the norm of each row of `(..., K)` in float32."""
    mean = np.square(x, dtype=np.float64).mean(-1, keepdims=True)
    result: FloatArray = (x / np.sqrt(mean + epsilon) * weight).astype(np.float32)
    return result


@cache
def rms_norm(width: int, epsilon: float) -> PrimFunc:
    """Return `f(x, weight, xq, xs, sums)` for rows of `width` floats, a multiple of 32."""

    @T.inline
    def row(X, W, XQ, XS, SUMS, token):
        with T.sblock("row"):
            T.reads()
            T.writes()
            squares = T.sblock_alloc_buffer((LANES,), "float32", scope="local")
            factor = T.sblock_alloc_buffer((1,), "float32", scope="local")
            values = T.sblock_alloc_buffer((GROUP,), "float32", scope="local")
            squares[span(0)] = floats(0)
            for i in T.serial(width // LANES):
                squares[span(0)] += X[token, span(i * LANES)] * X[token, span(i * LANES)]
            factor[0] = T.float32(0)
            for lane in T.unroll(LANES):
                factor[0] += squares[lane]
            factor[0] = T.float32(1) / T.sqrt(factor[0] / T.float32(width) + T.float32(epsilon))
            for group in T.serial(width // GROUP):
                for half in T.unroll(GROUP // LANES):
                    values[span(half * LANES)] = (
                        X[token, span(group * GROUP + half * LANES)]
                        * splat(factor[0])
                        * W[span(group * GROUP + half * LANES)]
                    )
                store_group(values, XQ, XS, SUMS, token, group)

    @T.prim_func(s_tir=True)
    def rms_norm_kernel(x: T.handle, weight: T.handle, xq: T.handle, xs: T.handle, sums: T.handle):
        T.func_attr({"tirx.noalias": True, "tirx.is_scheduled": True})
        n = T.int64()
        X = T.match_buffer(x, (n, width), "float32")
        W = T.match_buffer(weight, (width,), "float32")
        XQ = T.match_buffer(xq, (n, width), "int8")
        XS = T.match_buffer(xs, (n, width // GROUP), "float32")
        SUMS = T.match_buffer(sums, (n, width // GROUP), "int32")
        if n < SERIAL_TOKENS:
            for token in T.serial(n):
                row(X, W, XQ, XS, SUMS, token)
        else:
            for token in T.parallel(n):
                row(X, W, XQ, XS, SUMS, token)

    return rms_norm_kernel
