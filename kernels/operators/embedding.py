"""Embedding: rows of a packed matrix (V/16, K/32, steps, 64), by token ids (n,) int32 -> (n, K) float32.

It reads the matrix of the output layer as it lies there, so a model that ties the two keeps it once.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
from tvm.script import tirx as T
from tvm.tirx import PrimFunc

from kernels.instruction_sets import InstructionSet
from kernels.operators.quantize import SERIAL_TOKENS
from kernels.packing import BLOCK, STEP, STEP_BYTES, num_steps, offset_of
from kernels.quantization import GROUP, Bits, FloatArray, Weights, dequantize_weights


def reference(ids: npt.NDArray[np.int32], weights: Weights) -> FloatArray:
    """Return the rows that the codes stand for."""
    return dequantize_weights(Weights(weights.codes[ids], weights.scales[ids]))


@cache
def embedding(instruction_set: InstructionSet, vocab_size: int, width: int, bits: Bits) -> PrimFunc:
    """Return `f(ids, w, ws, y)`; `vocab_size` is a multiple of 16."""
    steps, num_groups = num_steps(bits), width // GROUP
    offset = offset_of(bits, instruction_set.int8_offset)
    shift, mask = (4, 0x0F) if bits == 4 else (0, 0xFF)
    stored_type = "uint8" if bits == 4 or offset else "int8"

    @T.inline
    def row(IDS, W, WS, Y, token):
        with T.sblock("row"):
            T.reads()
            T.writes()
            block: T.let[T.int32] = IDS[token] // BLOCK
            output: T.let[T.int32] = IDS[token] % BLOCK
            for group, half, step in T.grid(num_groups, GROUP // STEP // steps, steps):
                for i in T.unroll(STEP):
                    Y[token, group * GROUP + (half * steps + step) * STEP + i] = T.cast(
                        T.cast(
                            T.reinterpret(
                                (W[block, group, step, output * STEP + i] >> T.cast(half * shift, "uint8"))
                                & T.uint8(mask),
                                dtype=stored_type,
                            ),
                            "int32",
                        )
                        - offset,
                        "float32",
                    ) * T.cast(WS[block, group, output], "float32")

    @T.prim_func(s_tir=True)
    def embedding_kernel(ids: T.handle, w: T.handle, ws: T.handle, y: T.handle):
        T.func_attr({"tirx.noalias": True, "tirx.is_scheduled": True})
        n = T.int64()
        IDS = T.match_buffer(ids, (n,), "int32")
        W = T.match_buffer(w, (vocab_size // BLOCK, num_groups, steps, STEP_BYTES), "uint8")
        WS = T.match_buffer(ws, (vocab_size // BLOCK, num_groups, BLOCK), "float16")
        Y = T.match_buffer(y, (n, width), "float32")
        if n < SERIAL_TOKENS:
            for token in T.serial(n):
                row(IDS, W, WS, Y, token)
        else:
            for token in T.parallel(n):
                row(IDS, W, WS, Y, token)

    return embedding_kernel
