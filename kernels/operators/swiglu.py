"""SwiGLU, with its result in 8 bits: gate and up side by side (n, 2F) float32 -> codes, scales, sums of (n, F).

    y = silu(gate) * up,    silu(g) = g / (1 + e^-g)

Source: N. Shazeer, "GLU Variants Improve Transformer", 2020.
"""

from functools import cache

import numpy as np
from tvm.script import tirx as T
from tvm.tirx import PrimFunc

from kernels.operators.quantize import SERIAL_TOKENS, store_group
from kernels.quantization import GROUP, Activations, FloatArray, quantize_activations
from kernels.vectors import LANES, Expr, exp, floats, span


def reference(gate_up: FloatArray) -> Activations:
    """Return the product of each row, quantized."""
    gate, up = np.split(gate_up.astype(np.float64), 2, axis=-1)
    return quantize_activations((gate / (1 + np.exp(-gate)) * up).astype(np.float32))


def _gated(gate: Expr, up: Expr) -> Expr:
    return gate * up / (floats(1) + exp(floats(0) - gate))


@cache
def swiglu(width: int) -> PrimFunc:
    """Return `f(gate_up, xq, xs, sums)`; `width` is F, a multiple of 32. A task is a group of a token."""
    num_groups = width // GROUP

    @T.inline
    def gate_group(X, XQ, XS, SUMS, token, group):
        with T.sblock("group"):
            T.reads()
            T.writes()
            values = T.sblock_alloc_buffer((GROUP,), "float32", scope="local")
            for half in T.unroll(GROUP // LANES):
                values[span(half * LANES)] = _gated(
                    X[token, span(group * GROUP + half * LANES)], X[token, span(width + group * GROUP + half * LANES)]
                )
            store_group(values, XQ, XS, SUMS, token, group)

    @T.prim_func(s_tir=True)
    def swiglu_kernel(gate_up: T.handle, xq: T.handle, xs: T.handle, sums: T.handle):
        T.func_attr({"tirx.noalias": True, "tirx.is_scheduled": True})
        n = T.int64()
        X = T.match_buffer(gate_up, (n, 2 * width), "float32")
        XQ = T.match_buffer(xq, (n, width), "int8")
        XS = T.match_buffer(xs, (n, num_groups), "float32")
        SUMS = T.match_buffer(sums, (n, num_groups), "int32")
        if n < SERIAL_TOKENS:
            for token, group in T.grid(n, num_groups):
                gate_group(X, XQ, XS, SUMS, token, group)
        else:
            for token in T.parallel(n):
                for group in T.serial(num_groups):
                    gate_group(X, XQ, XS, SUMS, token, group)

    return swiglu_kernel
