"""Quantized matrix product: y = x W^T, or y += x W^T; weights in 4 or 8 bits, activations in 8.

    x codes    (n, K) int8        scales (n, K/32) float32      sums (n, K/32) int32
    W codes    (N/16, K/32, steps, 64) uint8   scales (N/16, K/32, 16) float16      see `packing.py`
    y          (n, N) float32

Within a group the products are whole numbers; each group then enters the sum with its two scales:

    y[t, o] = sum over g of  xs[t, g] * ws[o, g] * (sum over k in g of xq[t, k] * (stored[o, k] - offset))

The offset leaves the inner sum as `-offset * sums[t, g]`, which is where the accumulator of a group begins: it costs
nothing. A tile of tokens times blocks of 16 outputs stays in registers; a weight is loaded once for all tokens of the
tile, an activation once for all its blocks. Tokens that are left over are done in tiles of half as many, and so on.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from tvm.script import tirx as T
from tvm.tirx import PrimFunc

from kernels.instruction_sets import Expr, InstructionSet
from kernels.packing import BLOCK, STEP, STEP_BYTES, num_steps, offset_of
from kernels.quantization import GROUP, Activations, Bits, FloatArray, Weights
from kernels.vectors import floats, span, splat, to_float


@dataclass(frozen=True, slots=True)
class Tile:
    """What is computed at once: so many tokens (a power of two) times so many blocks of 16 outputs."""

    num_tokens: int
    num_blocks: int


def default_tile(instruction_set: InstructionSet) -> Tile:
    """Return a tile whose two accumulators for each entry leave room for the operands."""
    return Tile(4, 2) if instruction_set.registers >= 32 else Tile(2, 1)


def fitting(tile: Tile, num_outputs: int) -> Tile:
    """Return the tile with as many of its blocks as divide the outputs of a matrix."""
    num_blocks = tile.num_blocks
    while num_outputs % (BLOCK * num_blocks):
        num_blocks //= 2
    return replace(tile, num_blocks=num_blocks)


def reference(weights: Weights, activations: Activations) -> FloatArray:
    """Return `(num_tokens, num_outputs) float32`: exact whole numbers in each group, scales in float64."""
    num_tokens, num_outputs = len(activations.codes), len(weights.codes)
    tokens = activations.codes.reshape(num_tokens, -1, GROUP).astype(np.int32)
    outputs = weights.codes.reshape(num_outputs, -1, GROUP).astype(np.int32)
    products = np.einsum("tgk,ogk->tog", tokens, outputs).astype(np.float64)
    scales = activations.scales[:, None, :].astype(np.float64) * weights.scales[None].astype(np.float64)
    result: FloatArray = (products * scales).sum(-1).astype(np.float32)
    return result


@cache
def linear(
    instruction_set: InstructionSet,
    num_outputs: int,
    num_inputs: int,
    bits: Bits,
    tile: Tile,
    *,
    accumulates: bool = False,
) -> PrimFunc:
    """Return `f(w, ws, xq, xs, sums, y)` for any number of tokens, which adds to `y` where it `accumulates`.

    `num_outputs` is a multiple of the tile's outputs.
    """
    num_tasks, rest = divmod(num_outputs, BLOCK * tile.num_blocks)
    assert rest == 0 and num_inputs % GROUP == 0
    cut = _cut(instruction_set, num_inputs // GROUP, bits, tile, accumulates=accumulates)
    num_groups, num_blocks, tile_floats = (
        num_inputs // GROUP,
        tile.num_blocks,
        tile.num_tokens * tile.num_blocks * BLOCK,
    )

    @T.prim_func(s_tir=True)
    def linear_kernel(w: T.handle, ws: T.handle, xq: T.handle, xs: T.handle, sums: T.handle, y: T.handle):
        T.func_attr({"tirx.noalias": True, "tirx.is_scheduled": True})
        n = T.int64()
        W = T.match_buffer(w, (num_outputs // BLOCK, num_groups, num_steps(bits), STEP_BYTES), "uint8")
        WS = T.match_buffer(ws, (num_outputs // BLOCK, num_groups, BLOCK), "float16")
        XQ = T.match_buffer(xq, (n, num_inputs), "int8")
        XS = T.match_buffer(xs, (n, num_groups), "float32")
        SUMS = T.match_buffer(sums, (n, num_groups), "int32")
        Y = T.match_buffer(y, (n, num_outputs), "float32")
        for task in T.parallel(num_tasks):
            with T.sblock("outputs"):
                T.reads()
                T.writes()
                total = T.sblock_alloc_buffer((tile_floats,), "float32", scope="local")
                whole = T.sblock_alloc_buffer((tile_floats,), "int32", scope="local")
                cut(W, WS, XQ, XS, SUMS, Y, total, whole, task * num_blocks, n)

    return linear_kernel


def _cut(instruction_set: InstructionSet, num_groups: int, bits: Bits, tile: Tile, *, accumulates: bool) -> Any:
    """Return the inline that covers `n` tokens with tiles: as many of full height as fit, then at most one of half."""
    full = _compute(instruction_set, num_groups, bits, tile, accumulates=accumulates)
    height = tile.num_tokens
    if height == 1:

        @T.inline
        def every(W, WS, XQ, XS, SUMS, Y, total, whole, block, n):
            for token in T.serial(n):
                full(W, WS, XQ, XS, SUMS, Y, total, whole, block, token)

        return every
    smaller = _rest(instruction_set, num_groups, bits, replace(tile, num_tokens=height // 2), accumulates=accumulates)

    @T.inline
    def tiles(W, WS, XQ, XS, SUMS, Y, total, whole, block, n):
        for number in T.serial(n // height):
            full(W, WS, XQ, XS, SUMS, Y, total, whole, block, number * height)
        smaller(W, WS, XQ, XS, SUMS, Y, total, whole, block, n)

    return tiles


def _rest(instruction_set: InstructionSet, num_groups: int, bits: Bits, tile: Tile, *, accumulates: bool) -> Any:
    """Return the inline for what tiles of twice the height leave over of `n` tokens."""
    compute = _compute(instruction_set, num_groups, bits, tile, accumulates=accumulates)
    height = tile.num_tokens
    if height == 1:

        @T.inline
        def last(W, WS, XQ, XS, SUMS, Y, total, whole, block, n):
            if n % 2 == 1:
                compute(W, WS, XQ, XS, SUMS, Y, total, whole, block, n - 1)

        return last
    smaller = _rest(instruction_set, num_groups, bits, replace(tile, num_tokens=height // 2), accumulates=accumulates)

    @T.inline
    def half(W, WS, XQ, XS, SUMS, Y, total, whole, block, n):
        if n % (2 * height) >= height:
            compute(W, WS, XQ, XS, SUMS, Y, total, whole, block, n // (2 * height) * (2 * height))
        smaller(W, WS, XQ, XS, SUMS, Y, total, whole, block, n)

    return half


def _compute(instruction_set: InstructionSet, num_groups: int, bits: Bits, tile: Tile, *, accumulates: bool) -> Any:
    """Return the inline for one tile, from `token` and `block` on."""
    height, width, steps = tile.num_tokens, tile.num_blocks, num_steps(bits)
    lanes, offset = instruction_set.lanes, offset_of(bits, instruction_set.int8_offset)
    multiply = _multiply(instruction_set, bits)

    @T.inline
    def compute(W, WS, XQ, XS, SUMS, Y, total, whole, block, token):
        for entry in T.unroll(height * width):
            total[span(entry * BLOCK)] = floats(0)
        for group in T.serial(num_groups):
            for m in T.unroll(height):
                for r in T.unroll(width):
                    whole[span((m * width + r) * BLOCK)] = splat(SUMS[token + m, group] * -offset)
            for step in T.unroll(steps):
                for m in T.unroll(height):
                    for r in T.unroll(width):
                        for part in T.unroll(BLOCK // lanes):
                            whole[span((m * width + r) * BLOCK + part * lanes, lanes)] = multiply(
                                whole[span((m * width + r) * BLOCK + part * lanes, lanes)],
                                W[block + r, group, step, span(part * lanes * STEP, lanes * STEP)],
                                XQ[token + m, span(group * GROUP + step * STEP, STEP)],
                                XQ[token + m, span(group * GROUP + (step + steps) % (GROUP // STEP) * STEP, STEP)],
                            )
            for m in T.unroll(height):
                for r in T.unroll(width):
                    total[span((m * width + r) * BLOCK)] += to_float(whole[span((m * width + r) * BLOCK)]) * (
                        to_float(WS[block + r, group, span(0)]) * splat(XS[token + m, group])
                    )
        for m in T.unroll(height):
            for r in T.unroll(width):
                Y[token + m, span((block + r) * BLOCK)] = (
                    Y[token + m, span((block + r) * BLOCK)] + total[span((m * width + r) * BLOCK)]
                    if accumulates
                    else total[span((m * width + r) * BLOCK)]
                )

    return compute


def _multiply(instruction_set: InstructionSet, bits: Bits) -> Any:
    """Return what one register of weights adds: 4 inputs, or with two weights in each byte 8, of which 4 are `far`."""
    if bits == 8:
        return lambda total, stored, near, far: instruction_set.dot8(total, stored, near)

    def multiply(total: Expr, stored: Expr, near: Expr, far: Expr) -> Expr:
        low = stored & splat(T.uint8(0x0F), 4 * instruction_set.lanes)
        high = stored >> splat(T.uint8(4), 4 * instruction_set.lanes)
        return instruction_set.dot4(instruction_set.dot4(total, low, near), high, far)

    return multiply
