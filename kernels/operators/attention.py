"""Attention over a paged KV cache, for prompts and for single tokens alike.

    queries    (n, H D) float32     scaled by D^-1/2
    keys, values                    pages, see `paging.py`
    tables     (b, max_pages) int32 the pages of each sequence
    sequences, positions (n,) int32 whose token it is, and where it stands: it sees positions [0, its own]
    tiles, folds                    what is computed together, see `tiling.py`
    y          (n, H D) float32

All query heads that share keys, of all tokens of a tile, are rows that go through the keys together. The context comes
in stretches of 128 tokens. Of each stretch the scores of all rows lie in the first-level cache; its softmax and what
the values add up to are computed as if it were alone, and then folded into what was before:

    m' = max(m, m_s)      l' = l e^(m - m') + l_s e^(m_s - m')      a' = a e^(m - m') + a_s e^(m_s - m')

Where tiles are too few for all threads, each stretch is a task of its own: the result goes to a workspace, and the
tile's stretches are folded in their order when all are there.

A row's arithmetic does not depend on the tile it is in, nor on what else is in the step, nor on who computes which
stretch: results are the same bit by bit, alone or in a batch, in one chunk or in many, with any number of threads.
Scales of 8-bit keys enter once for 32 dimensions of a score; those of values go into the weights that they meet.
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
from kernels.operators.stretch import LEAST, STRETCH_PAGES, scoring, softening, weighing
from kernels.paging import PAGE, KvType, Pages, key_shape, key_tokens, read_tokens, value_shape, value_tokens
from kernels.quantization import FloatArray
from kernels.shape import Heads
from kernels.tiling import STRETCH, tile_tokens
from kernels.vectors import LANES, exp, floats, fused, span, splat


def reference(
    heads: Heads,
    queries: FloatArray,
    keys: Pages,
    values: Pages,
    tables: npt.NDArray[np.int32],
    sequences: npt.NDArray[np.int32],
    positions: npt.NDArray[np.int32],
) -> FloatArray:
    """Return `(n, H D) float32`, each token by the plain formula in float64."""
    result = np.empty((len(queries), heads.num_queries, heads.size))
    for token, (sequence, position) in enumerate(zip(sequences, positions, strict=True)):
        seen_keys = read_tokens(key_tokens(keys), tables[sequence], position + 1).astype(np.float64)
        seen_values = read_tokens(value_tokens(values), tables[sequence], position + 1).astype(np.float64)
        grouped = queries[token].reshape(heads.num_kv, heads.group, heads.size)
        scores = np.einsum("hgd,thd->hgt", grouped, seen_keys)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        result[token] = np.einsum("hgt,thd->hgd", weights, seen_values).reshape(heads.num_queries, heads.size)
    return result.reshape(len(queries), -1).astype(np.float32)


@cache
def paged_attention(heads: Heads, instruction_set: InstructionSet, kv_type: KvType) -> PrimFunc:
    """Return `f(queries, keys, values, tables, sequences, positions, tiles, folds, y)`.

    A task is a tile, or a stretch of it, and a KV head: a thread's tasks read the same head as long as they can.
    """
    size, num_kv = heads.size, heads.num_kv
    key, value = key_shape(heads, kv_type), value_shape(heads, kv_type)
    height = tile_tokens(heads)
    one, full = (_tile(heads, instruction_set, kv_type, each) for each in (1, height))
    prompt = _tile(heads, instruction_set, kv_type, height, whole=True)
    fold_one, fold_full = (_folded(heads, each) for each in (1, height))
    most_rows = height * heads.group

    @T.prim_func(s_tir=True)
    def paged_attention_kernel(
        queries: T.handle,
        keys: T.handle,
        values: T.handle,
        tables: T.handle,
        sequences: T.handle,
        positions: T.handle,
        tiles: T.handle,
        folds: T.handle,
        y: T.handle,
    ):
        T.func_attr({"tirx.noalias": True, "tirx.is_scheduled": True})
        n, num_pages, b, max_pages = T.int64(), T.int64(), T.int64(), T.int64()
        num_tiles, num_folds = T.int64(), T.int64()
        Q = T.match_buffer(queries, (n, heads.num_queries * size), "float32")
        K = T.match_buffer(keys, (num_pages, num_kv, key.rows, key.columns), key.dtype)
        V = T.match_buffer(values, (num_pages, num_kv, value.rows, value.columns), value.dtype)
        TABLES = T.match_buffer(tables, (b, max_pages), "int32")
        SEQUENCES = T.match_buffer(sequences, (n,), "int32")
        POSITIONS = T.match_buffer(positions, (n,), "int32")
        TILES = T.match_buffer(tiles, (num_tiles, 4), "int32")
        FOLDS = T.match_buffer(folds, (num_folds, 4), "int32")
        Y = T.match_buffer(y, (n, heads.num_queries * size), "float32")
        # Of each row of a stretch what its values add up to, its greatest score and the sum of its weights
        W = T.sblock_alloc_buffer((T.min(num_folds, 1) * num_tiles * num_kv, most_rows * size), "float32")
        M = T.sblock_alloc_buffer((T.min(num_folds, 1) * num_tiles * num_kv, 2 * most_rows), "float32")
        for task in T.parallel(num_tiles * num_kv):
            with T.sblock("task"):
                T.reads()
                T.writes()
                token: T.let[T.int32] = TILES[task % num_tiles, 0]
                begin: T.let[T.int32] = TILES[task % num_tiles, 2]
                end: T.let[T.int32] = TILES[task % num_tiles, 3]
                h: T.let[T.int64] = task // num_tiles
                if num_folds == 0 and TILES[task % num_tiles, 1] == 1:
                    prompt(Q, K, V, TABLES, SEQUENCES, POSITIONS, Y, W, M, token, h, begin, end, task, num_folds)
                elif TILES[task % num_tiles, 1] == 1:
                    full(Q, K, V, TABLES, SEQUENCES, POSITIONS, Y, W, M, token, h, begin, end, task, num_folds)
                else:
                    one(Q, K, V, TABLES, SEQUENCES, POSITIONS, Y, W, M, token, h, begin, end, task, num_folds)
        if num_folds > 0:
            for task in T.parallel(num_folds * num_kv):
                with T.sblock("fold"):
                    T.reads()
                    T.writes()
                    whose: T.let[T.int32] = FOLDS[task % num_folds, 0]
                    first: T.let[T.int64] = task // num_folds * num_tiles + FOLDS[task % num_folds, 2]
                    if FOLDS[task % num_folds, 1] == 1:
                        fold_full(Y, W, M, whose, task // num_folds, first, FOLDS[task % num_folds, 3])
                    else:
                        fold_one(Y, W, M, whose, task // num_folds, first, FOLDS[task % num_folds, 3])

    return paged_attention_kernel


def _tile(heads: Heads, instruction_set: InstructionSet, kv_type: KvType, height: int, *, whole: bool = False) -> Any:
    """Return the inline for `height` tokens of one sequence from `token` on, and the KV head `h`.

    It computes stretches `[begin, end)`, or with `whole` all there are, in a shorter loop. They go into `Y` or, if they
    are one of many to fold, into row `place` of the workspace: what is folded to nothing stays what it is, to the last
    bit.
    """
    size, vectors = heads.size, heads.size // LANES
    rows = height * heads.group
    many = instruction_set.registers >= 32
    score = scoring(heads, kv_type, rows, _divisor(rows, 14 if many else 3))
    soften = softening(heads, rows)
    weigh = weighing(heads, kv_type, rows, _divisor(rows, max(1, (28 if many else 5) // vectors)))
    clear, fold, finish = _clear(heads, rows), _fold(heads, rows), _finish(heads, rows)

    @T.inline
    def attend(Q, K, V, TABLES, SEQUENCES, POSITIONS, Y, W, M, token, h, begin, end, place, num_folds):
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
            clear(total, maxima, sums)
            for number in T.serial((num_pages + STRETCH_PAGES - 1) // STRETCH_PAGES if whole else end - begin):
                with T.sblock("stretch"):
                    T.reads()
                    T.writes()
                    first: T.let[T.int32] = number * STRETCH_PAGES if whole else (begin + number) * STRETCH_PAGES
                    count: T.let[T.int32] = T.min(STRETCH_PAGES, num_pages - first)
                    score(Q, K, V, TABLES, scores, sequence, token, h, first, count, num_pages)
                    soften(POSITIONS, scores, maxima, sums, token, first, count)
                    weigh(V, TABLES, scores, new, sequence, h, first, count)
                    fold(total, new, maxima, sums)
            if whole or num_folds == 0:
                finish(Y, total, sums, token, h)
            else:
                for i in T.serial(rows * vectors):
                    W[place, span(i * LANES)] = total[span(i * LANES)]
                for row in T.serial(rows):
                    M[place, row] = maxima[row]
                    M[place, rows + row] = sums[row]

    return attend


def _folded(heads: Heads, height: int) -> Any:
    """Return the inline that folds `count` stretches of a tile, which lie in the workspace from row `first` on."""
    size, vectors = heads.size, heads.size // LANES
    rows = height * heads.group
    clear, fold, finish = _clear(heads, rows), _fold(heads, rows), _finish(heads, rows)

    @T.inline
    def folded(Y, W, M, token, h, first, count):
        with T.sblock("folded"):
            T.reads()
            T.writes()
            total = T.sblock_alloc_buffer((rows * size,), "float32", scope="local")
            new = T.sblock_alloc_buffer((rows * size,), "float32", scope="local")
            maxima = T.sblock_alloc_buffer((2 * rows,), "float32", scope="local")
            sums = T.sblock_alloc_buffer((2 * rows,), "float32", scope="local")
            clear(total, maxima, sums)
            for stretch in T.serial(count):
                for i in T.serial(rows * vectors):
                    new[span(i * LANES)] = W[first + stretch, span(i * LANES)]
                for row in T.serial(rows):
                    maxima[rows + row] = M[first + stretch, row]
                    sums[rows + row] = M[first + stretch, rows + row]
                fold(total, new, maxima, sums)
            finish(Y, total, sums, token, h)

    return folded


def _divisor(number: int, limit: int) -> int:
    return max(d for d in range(1, limit + 1) if number % d == 0)


def _clear(heads: Heads, rows: int) -> Any:
    """Return the inline for nothing seen yet, in `total` and the first halves of `maxima` and `sums`."""
    vectors = heads.size // LANES

    @T.inline
    def clear(total, maxima, sums):
        for row in T.serial(rows):
            maxima[row] = T.float32(LEAST)
            sums[row] = T.float32(0)
        for i in T.serial(rows * vectors):
            total[span(i * LANES)] = floats(0)

    return clear


def _fold(heads: Heads, rows: int) -> Any:
    """Return the inline that adds a stretch (second half of `maxima` and `sums`, `new`) to all before it.

    It is compiled in two places that must agree to the last bit, so it leaves no choice of what to fuse.
    """
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
                sums[row] = fused(sums[row], factors[0], sums[rows + row] * factors[LANES], 1)
                for i in T.unroll(vectors):
                    total[span(row * size + i * LANES)] = fused(
                        total[span(row * size + i * LANES)],
                        factors[span(0)],
                        new[span(row * size + i * LANES)] * factors[span(LANES)],
                    )

    return fold


def _finish(heads: Heads, rows: int) -> Any:
    """Return the inline that writes the result of a tile."""
    size, group, vectors = heads.size, heads.group, heads.size // LANES

    @T.inline
    def finish(Y, total, sums, token, h):
        for row in T.serial(rows):
            for i in T.unroll(vectors):
                Y[token + row // group, span((h * group + row % group) * size + i * LANES)] = total[
                    span(row * size + i * LANES)
                ] / splat(sums[row])

    return finish
