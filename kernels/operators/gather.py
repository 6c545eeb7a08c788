"""Row gather: the rows of x (n, K) float32 at `rows` (m,) int32, as (m, K): those whose logits are asked for."""

from functools import cache

import numpy as np
import numpy.typing as npt
from tvm.script import tirx as T
from tvm.tirx import PrimFunc

from kernels.quantization import FloatArray
from kernels.vectors import LANES, span


def reference(x: FloatArray, rows: npt.NDArray[np.int32]) -> FloatArray:
    """Return the rows."""
    return x[rows]


@cache
def gather(width: int) -> PrimFunc:
    """Return `f(x, rows, y)` for rows of `width` floats, a multiple of 16."""

    @T.prim_func(s_tir=True)
    def gather_kernel(x: T.handle, rows: T.handle, y: T.handle):
        T.func_attr({"tirx.noalias": True, "tirx.is_scheduled": True})
        n, m = T.int64(), T.int64()
        X = T.match_buffer(x, (n, width), "float32")
        ROWS = T.match_buffer(rows, (m,), "int32")
        Y = T.match_buffer(y, (m, width), "float32")
        for row, i in T.grid(m, width // LANES):
            Y[row, span(i * LANES)] = X[ROWS[row], span(i * LANES)]

    return gather_kernel
