"""Attention over a paged KV cache, for prompts and for single tokens alike.

    queries    (n, H D) float32     scaled by D^-1/2
    keys, values                    pages, see `paging.py`
    tables     (b, max_pages) int32 the pages of each sequence
    sequences, positions (n,) int32 whose token it is, and where it stands: it sees positions [0, its own]
    tiles      (num_tiles, 2) int32 first token, and 1 where a full tile of neighbours begins there, 0 for one token
    y          (n, H D) float32

All query heads that share keys, of all tokens of a tile, are rows that go through the keys together. The context comes
in stretches of 128 tokens. Of each stretch the scores of all rows lie in the first-level cache; its softmax and what
the values add up to are computed as if it were alone, and then folded into what was before:

    m' = max(m, m_s)      l' = l e^(m - m') + l_s e^(m_s - m')      a' = a e^(m - m') + a_s e^(m_s - m')

A row's arithmetic does not depend on the tile it is in, nor on what else is in the step: results are the same bit by
bit, alone or in a batch, in one chunk or in many.
Source: M. Milakov, N. Gimelshein, "Online normalizer calculation for softmax", 2018; T. Dao and others,
"FlashAttention", 2022; W. Kwon and others, "PagedAttention", 2023.
"""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from tvm.script import tirx as T
from tvm.tirx import PrimFunc

from kernels.instruction_sets import InstructionSet
from kernels.paging import PAGE, KeyPages, ValuePages, keys_of, values_of
from kernels.quantization import FloatArray
from kernels.shape import Heads
from kernels.tiling import tile_tokens
from kernels.vectors import LANES, exp, floats, largest_of, span, splat, to_float

STRETCH_PAGES = 8
STRETCH = STRETCH_PAGES * PAGE
"""Tokens of context whose scores are held at once."""

LEAST = -1e30
"""A score that no token has."""


def reference(
    heads: Heads,
    queries: FloatArray,
    keys: KeyPages,
    values: ValuePages,
    tables: npt.NDArray[np.int32],
    sequences: npt.NDArray[np.int32],
    positions: npt.NDArray[np.int32],
) -> FloatArray:
    """Return `(n, H D) float32`, each token by the plain formula in float64."""
    result = np.empty((len(queries), heads.num_queries, heads.size))
    for token, (sequence, position) in enumerate(zip(sequences, positions, strict=True)):
        seen_keys = keys_of(keys, tables[sequence], position + 1).astype(np.float64)
        seen_values = values_of(values, tables[sequence], position + 1).astype(np.float64)
        grouped = queries[token].reshape(heads.num_kv, heads.group, heads.size)
        scores = np.einsum("hgd,thd->hgt", grouped, seen_keys)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        result[token] = np.einsum("hgt,thd->hgd", weights, seen_values).reshape(heads.num_queries, heads.size)
    return result.reshape(len(queries), -1).astype(np.float32)


@cache
def paged_attention(heads: Heads, instruction_set: InstructionSet) -> PrimFunc:
    """Return `f(queries, keys, values, tables, sequences, positions, tiles, y)`; a task is a tile and a KV head."""
    size, num_kv = heads.size, heads.num_kv
    one, full = (_tile(heads, instruction_set, height) for height in (1, tile_tokens(heads)))

    @T.prim_func(s_tir=True)
    def paged_attention_kernel(
        queries: T.handle,
        keys: T.handle,
        values: T.handle,
        tables: T.handle,
        sequences: T.handle,
        positions: T.handle,
        tiles: T.handle,
        y: T.handle,
    ):
        T.func_attr({"tirx.noalias": True, "tirx.is_scheduled": True})
        n, num_pages, b, max_pages, num_tiles = T.int64(), T.int64(), T.int64(), T.int64(), T.int64()
        Q = T.match_buffer(queries, (n, heads.num_queries * size), "float32")
        K = T.match_buffer(keys, (num_pages, num_kv, size, PAGE), "float16")
        V = T.match_buffer(values, (num_pages, num_kv, PAGE, size), "float16")
        TABLES = T.match_buffer(tables, (b, max_pages), "int32")
        SEQUENCES = T.match_buffer(sequences, (n,), "int32")
        POSITIONS = T.match_buffer(positions, (n,), "int32")
        TILES = T.match_buffer(tiles, (num_tiles, 2), "int32")
        Y = T.match_buffer(y, (n, heads.num_queries * size), "float32")
        for task in T.parallel(num_tiles * num_kv):
            with T.sblock("task"):
                T.reads()
                T.writes()
                token: T.let[T.int32] = TILES[task // num_kv, 0]
                if TILES[task // num_kv, 1] == 1:
                    full(Q, K, V, TABLES, SEQUENCES, POSITIONS, Y, token, task % num_kv)
                else:
                    one(Q, K, V, TABLES, SEQUENCES, POSITIONS, Y, token, task % num_kv)

    return paged_attention_kernel


def _tile(heads: Heads, instruction_set: InstructionSet, height: int) -> Any:
    """Return the inline for `height` tokens of one sequence from `token` on, and the KV head `h`."""
    size, group, vectors = heads.size, heads.group, heads.size // LANES
    rows = height * group
    score = _scores(heads, rows, _divisor(rows, 14 if instruction_set.registers >= 32 else 3))
    soften = _softmax(heads, rows)
    weigh = _weighted_values(
        heads, rows, _divisor(rows, max(1, (28 if instruction_set.registers >= 32 else 5) // vectors))
    )
    fold = _fold(heads, rows)

    @T.inline
    def attend(Q, K, V, TABLES, SEQUENCES, POSITIONS, Y, token, h):
        with T.sblock("tile"):
            T.reads()
            T.writes()
            scores = T.sblock_alloc_buffer((rows * STRETCH,), "float32", scope="local")
            total = T.sblock_alloc_buffer((rows * size,), "float32", scope="local")
            new = T.sblock_alloc_buffer((rows * size,), "float32", scope="local")
            maxima = T.sblock_alloc_buffer((2 * rows,), "float32", scope="local")
            sums = T.sblock_alloc_buffer((2 * rows,), "float32", scope="local")
            sequence: T.let[T.int32] = SEQUENCES[token]
            num_pages: T.let[T.int32] = POSITIONS[token + height - 1] // PAGE + 1
            for row in T.serial(rows):
                maxima[row] = T.float32(LEAST)
                sums[row] = T.float32(0)
            for i in T.serial(rows * vectors):
                total[span(i * LANES)] = floats(0)
            for stretch in T.serial((num_pages + STRETCH_PAGES - 1) // STRETCH_PAGES):
                with T.sblock("stretch"):
                    T.reads()
                    T.writes()
                    first: T.let[T.int32] = stretch * STRETCH_PAGES
                    count: T.let[T.int32] = T.min(STRETCH_PAGES, num_pages - first)
                    score(Q, K, TABLES, scores, sequence, token, h, first, count)
                    soften(POSITIONS, scores, maxima, sums, token, first, count)
                    weigh(V, TABLES, scores, new, sequence, h, first, count)
                    fold(total, new, maxima, sums)
            for row in T.serial(rows):
                for i in T.unroll(vectors):
                    Y[token + row // group, span((h * group + row % group) * size + i * LANES)] = total[
                        span(row * size + i * LANES)
                    ] / splat(sums[row])

    return attend


def _divisor(number: int, limit: int) -> int:
    return max(d for d in range(1, limit + 1) if number % d == 0)


def _scores(heads: Heads, rows: int, width: int) -> Any:
    """Return the inline for the scores of a stretch: `width` rows at a time in registers, 16 tokens in each."""
    size, group = heads.size, heads.group

    @T.inline
    def score(Q, K, TABLES, scores, sequence, token, h, first, count):
        for page in T.serial(count):
            for part in T.unroll(rows // width):
                with T.sblock("page"):
                    T.reads()
                    T.writes()
                    sums = T.sblock_alloc_buffer((width * PAGE,), "float32", scope="local")
                    number: T.let[T.int32] = TABLES[sequence, first + page]
                    for r in T.unroll(width):
                        sums[span(r * PAGE)] = floats(0)
                    for d in T.serial(size):
                        for r in T.unroll(width):
                            sums[span(r * PAGE)] += splat(
                                Q[
                                    token + (part * width + r) // group,
                                    (h * group + (part * width + r) % group) * size + d,
                                ]
                            ) * to_float(K[number, h, d, span(0)])
                    for r in T.unroll(width):
                        scores[span((part * width + r) * STRETCH + page * PAGE)] = sums[span(r * PAGE)]

    return score


def _softmax(heads: Heads, rows: int) -> Any:
    """Return the inline that turns scores into e^(score - maximum), and keeps maximum and sum of each row's stretch.

    A token sees nothing behind itself: such a score becomes nothing at all, not almost nothing.
    """
    group = heads.group

    @T.inline
    def soften(POSITIONS, scores, maxima, sums, token, first, count):
        for row in T.serial(rows):
            with T.sblock("row"):
                T.reads()
                T.writes()
                lanes = T.sblock_alloc_buffer((PAGE,), "float32", scope="local")
                last: T.let[T.int32] = POSITIONS[token + row // group] - first * PAGE
                lanes[span(0)] = floats(LEAST)
                for page in T.serial(count):
                    scores[span(row * STRETCH + page * PAGE)] = T.Select(
                        splat(page * PAGE) + span(0) <= splat(last),
                        scores[span(row * STRETCH + page * PAGE)],
                        floats(LEAST),
                    )
                    lanes[span(0)] = T.max(lanes[span(0)], scores[span(row * STRETCH + page * PAGE)])
                maxima[rows + row] = largest_of(lanes[span(0)])
                lanes[span(0)] = floats(0)
                for page in T.serial(count):
                    scores[span(row * STRETCH + page * PAGE)] = T.Select(
                        splat(page * PAGE) + span(0) <= splat(last),
                        exp(scores[span(row * STRETCH + page * PAGE)] - splat(maxima[rows + row])),
                        floats(0),
                    )
                    lanes[span(0)] += scores[span(row * STRETCH + page * PAGE)]
                sums[rows + row] = T.float32(0)
                for lane in T.unroll(PAGE):
                    sums[rows + row] += lanes[lane]

    return soften


def _weighted_values(heads: Heads, rows: int, width: int) -> Any:
    """Return the inline for what a stretch's values add up to: `width` rows of `size` numbers stay in registers."""
    size, vectors = heads.size, heads.size // LANES

    @T.inline
    def weigh(V, TABLES, scores, new, sequence, h, first, count):
        for part in T.serial(rows // width):
            with T.sblock("rows"):
                T.reads()
                T.writes()
                sums = T.sblock_alloc_buffer((width * size,), "float32", scope="local")
                for i in T.unroll(width * vectors):
                    sums[span(i * LANES)] = floats(0)
                for page in T.serial(count):
                    for place in T.serial(PAGE):
                        for i in T.unroll(vectors):
                            for r in T.unroll(width):
                                sums[span(r * size + i * LANES)] += splat(
                                    scores[(part * width + r) * STRETCH + page * PAGE + place]
                                ) * to_float(V[TABLES[sequence, first + page], h, place, span(i * LANES)])
                for i in T.unroll(width * vectors):
                    new[span(part * width * size + i * LANES)] = sums[span(i * LANES)]

    return weigh


def _fold(heads: Heads, rows: int) -> Any:
    """Return the inline that adds a stretch (second half of `maxima` and `sums`, `new`) to all before it."""
    size, vectors = heads.size, heads.size // LANES

    @T.inline
    def fold(total, new, maxima, sums):
        for row in T.serial(rows):
            with T.sblock("fold"):
                T.reads()
                T.writes()
                factors = T.sblock_alloc_buffer((2 * LANES,), "float32", scope="local")
                largest: T.let[T.float32] = T.max(maxima[row], maxima[rows + row])
                factors[span(0)] = exp(splat(maxima[row] - largest))
                factors[span(LANES)] = exp(splat(maxima[rows + row] - largest))
                maxima[row] = largest
                sums[row] = sums[row] * factors[0] + sums[rows + row] * factors[LANES]
                for i in T.unroll(vectors):
                    total[span(row * size + i * LANES)] = (
                        total[span(row * size + i * LANES)] * factors[span(0)]
                        + new[span(row * size + i * LANES)] * factors[span(LANES)]
                    )

    return fold
