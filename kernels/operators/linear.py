"""Quantized matrix product: y = x W^T, or y += x W^T; weights in 4 or 8 bits, activations in 8.

    x codes    (n, K) int8        scales (n, K/32) float32      sums (n, K/32) int32
    W codes    (N/16, K/32, steps, 64) uint8   scales (N/16, K/32, 16) float16      see `packing.py`
    y          (n, N) float32

Within a group the products are whole numbers; each group then enters the sum with its two scales:

    y[t, o] = sum over g of  xs[t, g] * ws[o, g] * (sum over k in g of xq[t, k] * (stored[o, k] - offset))

The offset leaves the inner sum as `-offset * sums[t, g]`, which is where the accumulator of a group begins: it costs
nothing. A tile of tokens times blocks of 16 outputs stays in registers; a weight is loaded once for all tokens of the
tile, an activation once for all its blocks. Tokens that are left over are done in tiles of half as many, and so on.

A task is all tokens of some blocks, and its first tile finds their weights in memory, the others in a cache. So that
the memory works all the time, the tiles of a task ask for the weights of the next one. Few tiles have much to ask for,
which they do while they compute, each in its turn:

    tile 0    stretches of groups 0, 3, 6, ...      tile 1    1, 4, 7, ...      tile 2    2, 5, 8, ...

Of many, each asks for its share at once, and then goes through a loop that fetches nothing and is faster.
"""

from dataclasses import dataclass, replace
from functools import cache
from math import gcd
from typing import Any

import numpy as np
from tvm.script import tirx as T
from tvm.tirx import PrimFunc

from kernels.instruction_sets import InstructionSet
from kernels.packing import BLOCK, STEP, STEP_BYTES, num_steps, offset_of
from kernels.quantization import GROUP, Activations, Bits, FloatArray, Weights
from kernels.vectors import Expr, fetch, floats, span, splat, to_float

FEW_TOKENS = 2
"""Up to so many tokens blocks are done one by one: memory is the limit, and one stream of weights its fastest way."""

SOME_TOKENS = 32
"""Up to so many tokens tiles fetch while they compute, for more before."""

FETCH_GROUPS = 2
"""So many groups' weights are asked for at once. LLVM keeps sums in registers only in a loop that fetches nothing."""

MOST_TURNS = 8
"""So many tiles of a task fetch at most. More know no better moment, and each has to look when its turn is."""


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
    num_groups, num_blocks = num_inputs // GROUP, tile.num_blocks
    tile_floats = tile.num_tokens * num_blocks * BLOCK
    one_block = Tile(min(FEW_TOKENS, tile.num_tokens), 1)
    cut_few, cut_some, cut_many = (
        _cut(_Product(instruction_set, num_groups, bits, accumulates, fetches), each)
        for each, fetches in ((one_block, True), (tile, True), (tile, False))
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
                turn = T.sblock_alloc_buffer((2,), "int32", scope="local")
                if n <= FEW_TOKENS:
                    for block in T.serial(num_blocks):
                        cut_few(W, WS, XQ, XS, SUMS, Y, total, whole, turn, task * num_blocks + block, n)
                elif n <= SOME_TOKENS:
                    cut_some(W, WS, XQ, XS, SUMS, Y, total, whole, turn, task * num_blocks, n)
                else:
                    cut_many(W, WS, XQ, XS, SUMS, Y, total, whole, turn, task * num_blocks, n)

    return linear_kernel


@dataclass(frozen=True, slots=True)
class _Product:
    """What all tiles of a way through a product have in common."""

    instruction_set: InstructionSet
    num_groups: int
    bits: Bits
    accumulates: bool
    fetches: bool
    """In the loop over groups."""


@T.inline
def take_turn(turn, number, num_tiles):
    """Let tile `number` of `num_tiles` fetch its share, if there is one for it."""
    turn[0] = T.if_then_else(number < T.min(num_tiles, MOST_TURNS), T.cast(number, "int32"), -1)
    turn[1] = T.cast(T.min(num_tiles, MOST_TURNS), "int32")


def _cut(product: _Product, tile: Tile) -> Any:
    """Return the inline that covers `n` tokens with tiles: as many of full height as fit, then at most one of half."""
    full = _compute(product, tile)
    height = tile.num_tokens
    if height == 1:

        @T.inline
        def every(W, WS, XQ, XS, SUMS, Y, total, whole, turn, block, n):
            for token in T.serial(n):
                take_turn(turn, token, n)
                full(W, WS, XQ, XS, SUMS, Y, total, whole, turn, block, token)

        return every
    smaller = _rest(product, replace(tile, num_tokens=height // 2), height)
    fetches, ask = product.fetches, _ask(product, tile)

    @T.inline
    def tiles(W, WS, XQ, XS, SUMS, Y, total, whole, turn, block, n):
        for number in T.serial(n // height):
            if fetches:
                take_turn(turn, number, n // height)
            else:
                ask(W, WS, block, number, n // height)
            full(W, WS, XQ, XS, SUMS, Y, total, whole, turn, block, number * height)
        smaller(W, WS, XQ, XS, SUMS, Y, total, whole, turn, block, n)

    return tiles


def _ask(product: _Product, tile: Tile) -> Any:
    """Return the inline by which tile `number` of `num_tiles` fetches its share at once, before it begins."""
    num_groups, width, steps = product.num_groups, tile.num_blocks, num_steps(product.bits)

    @T.inline
    def ask(W, WS, block, number, num_tiles):
        for group in T.serial(number * num_groups // num_tiles, (number + 1) * num_groups // num_tiles):
            for r in T.unroll(width):
                for step in T.unroll(steps):
                    T.evaluate(fetch(W[block + width + r, group, step, 0]))
                T.evaluate(fetch(WS[block + width + r, group, 0]))

    return ask


def _rest(product: _Product, tile: Tile, full_height: int) -> Any:
    """Return the inline for what tiles of twice the height leave over of `n` tokens.

    Such a tile fetches nothing where full ones did, else everything.
    """
    compute = _compute(product, tile)
    height = tile.num_tokens
    if height == 1:

        @T.inline
        def last(W, WS, XQ, XS, SUMS, Y, total, whole, turn, block, n):
            if n % 2 == 1:
                take_turn(turn, n // full_height, T.int64(1))
                compute(W, WS, XQ, XS, SUMS, Y, total, whole, turn, block, n - 1)

        return last
    smaller = _rest(product, replace(tile, num_tokens=height // 2), full_height)

    @T.inline
    def half(W, WS, XQ, XS, SUMS, Y, total, whole, turn, block, n):
        if n % (2 * height) >= height:
            take_turn(turn, n // full_height, T.int64(1))
            compute(W, WS, XQ, XS, SUMS, Y, total, whole, turn, block, n // (2 * height) * (2 * height))
        smaller(W, WS, XQ, XS, SUMS, Y, total, whole, turn, block, n)

    return half


def _compute(product: _Product, tile: Tile) -> Any:
    """Return the inline for one tile, from `token` and `block` on.

    `turn` holds the next stretch of groups to fetch the following task's weights of, and how many lie between two.
    """
    instruction_set, bits, num_groups = product.instruction_set, product.bits, product.num_groups
    fetches, accumulates = product.fetches, product.accumulates
    height, width, steps = tile.num_tokens, tile.num_blocks, num_steps(bits)
    length = gcd(num_groups, FETCH_GROUPS)
    lanes, offset = instruction_set.lanes, offset_of(bits, instruction_set.int8_offset)
    codes, dot = _codes(bits, lanes), instruction_set.dot4 if bits == 4 else instruction_set.dot8

    @T.inline
    def add_group(W, WS, XQ, XS, SUMS, total, whole, block, token, group):
        # The loops over entries are the inner ones: a dot waits for the last one of its own entry
        for m in T.unroll(height):
            for r in T.unroll(width):
                whole[span((m * width + r) * BLOCK)] = splat(SUMS[token + m, group] * -offset)
        for step in T.unroll(steps):
            for half in T.unroll(8 // bits):
                for m in T.unroll(height):
                    for r in T.unroll(width):
                        for part in T.unroll(BLOCK // lanes):
                            whole[span((m * width + r) * BLOCK + part * lanes, lanes)] = dot(
                                whole[span((m * width + r) * BLOCK + part * lanes, lanes)],
                                codes(W[block + r, group, step, span(part * lanes * STEP, lanes * STEP)], half),
                                XQ[token + m, span(group * GROUP + (half * steps + step) * STEP, STEP)],
                            )
        for m in T.unroll(height):
            for r in T.unroll(width):
                total[span((m * width + r) * BLOCK)] += to_float(whole[span((m * width + r) * BLOCK)]) * (
                    to_float(WS[block + r, group, span(0)]) * splat(XS[token + m, group])
                )

    @T.inline
    def compute(W, WS, XQ, XS, SUMS, Y, total, whole, turn, block, token):
        for entry in T.unroll(height * width):
            total[span(entry * BLOCK)] = floats(0)
        if fetches:
            for stretch in T.serial(num_groups // length):
                if stretch == turn[0]:
                    turn[0] += turn[1]
                    for i in T.unroll(length):
                        for r in T.unroll(width):
                            for step in T.unroll(steps):
                                T.evaluate(fetch(W[block + width + r, stretch * length + i, step, 0]))
                            T.evaluate(fetch(WS[block + width + r, stretch * length + i, 0]))
                for i in T.serial(length):
                    add_group(W, WS, XQ, XS, SUMS, total, whole, block, token, stretch * length + i)
        else:
            for group in T.serial(num_groups):
                add_group(W, WS, XQ, XS, SUMS, total, whole, block, token, group)
        for m in T.unroll(height):
            for r in T.unroll(width):
                Y[token + m, span((block + r) * BLOCK)] = (
                    Y[token + m, span((block + r) * BLOCK)] + total[span((m * width + r) * BLOCK)]
                    if accumulates
                    else total[span((m * width + r) * BLOCK)]
                )

    return compute


def _codes(bits: Bits, lanes: int) -> Any:
    """Return what takes codes out of bytes: all of a byte, or its low (0) or high (1) half."""
    if bits == 8:
        return lambda stored, half: stored

    def codes(stored: Expr, half: Expr) -> Expr:
        shifted = stored >> splat(T.cast(4 * half, "uint8"), STEP * lanes)
        return shifted & splat(T.uint8(0x0F), STEP * lanes)

    return codes
