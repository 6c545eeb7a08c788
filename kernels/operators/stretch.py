"""One stretch of a context as attention reads it: 128 tokens, as if there were no others.

The inlines of a tile, in their order: scores of all its rows, their softmax, what the values add up to. `count` pages
from number `first` on, of the KV head `h`; rows are the query heads of the tile's tokens, from `token` on.
"""

from typing import Any

import numpy as np
from tvm.script import tirx as T

from kernels.paging import PAGE, KvType, key_shape
from kernels.quantization import GROUP
from kernels.shape import Heads
from kernels.tiling import STRETCH
from kernels.vectors import LANES, Expr, exp, fetch, floats, largest_of, span, splat, to_float

STRETCH_PAGES = STRETCH // PAGE

LEAST = -1e30
"""A score that no token has."""

_LINE_BYTES = 64


def scoring(heads: Heads, kv_type: KvType, rows: int, width: int) -> Any:
    """Return the inline for the scores of a stretch: `width` rows at a time in registers, 16 tokens in each."""
    size, group = heads.size, heads.group
    has_scales = kv_type == "int8"
    block_size = GROUP if has_scales else size
    is_alone, ahead = rows == group, _ahead(heads, kv_type)

    @T.inline
    def score(Q, K, V, TABLES, scores, sequence, token, h, first, count, num_pages):
        for page in T.serial(count):
            if is_alone:
                ahead(K, V, TABLES, sequence, h, first + page, num_pages)
            for part in T.unroll(rows // width):
                with T.sblock("page"):
                    T.reads()
                    T.writes()
                    sums = T.sblock_alloc_buffer((width * PAGE,), "float32", scope="local")
                    scaled = T.sblock_alloc_buffer((width * PAGE,), "float32", scope="local")
                    number: T.let[T.int32] = TABLES[sequence, first + page]
                    for r in T.unroll(width):
                        scaled[span(r * PAGE)] = floats(0)
                    for block in T.unroll(size // block_size):
                        for r in T.unroll(width):
                            sums[span(r * PAGE)] = floats(0)
                        for d in T.serial(block_size):
                            for r in T.unroll(width):
                                sums[span(r * PAGE)] += splat(
                                    Q[
                                        token + (part * width + r) // group,
                                        (h * group + (part * width + r) % group) * size + block * block_size + d,
                                    ]
                                ) * to_float(K[number, h, block * block_size + d, span(0)])
                        if has_scales:
                            for r in T.unroll(width):
                                scaled[span(r * PAGE)] += sums[span(r * PAGE)] * _key_scales(K, number, h, size, block)
                    for r in T.unroll(width):
                        scores[span((part * width + r) * STRETCH + page * PAGE)] = (
                            scaled[span(r * PAGE)] if has_scales else sums[span(r * PAGE)]
                        )

    return score


def _ahead(heads: Heads, kv_type: KvType) -> Any:
    """Return the inline that asks for the values of a page, and for the keys of the page that is a stretch behind it.

    Pages lie anywhere, so that no processor guesses the next. A single token reads each once, at the speed of memory;
    tiles find what the tile before them has read.
    """
    shape = key_shape(heads, kv_type)
    line = _LINE_BYTES // np.dtype(shape.dtype).itemsize
    num_lines = -(-shape.rows * shape.columns // line)

    @T.inline
    def ahead(K, V, TABLES, sequence, h, page, num_pages):
        for i in T.serial(num_lines):
            T.evaluate(fetch(V[TABLES[sequence, page], h, 0, i * line]))
        for i in T.serial(num_lines):
            T.evaluate(fetch(K[TABLES[sequence, T.min(page + STRETCH_PAGES, num_pages - 1)], h, 0, i * line]))

    return ahead


def _key_scales(K: Any, page: Expr, h: Expr, size: int, group: Expr) -> Expr:
    """Return the scales of 16 tokens for one group of dimensions: they lie in two rows."""
    rows = [T.reinterpret(K[page, h, size + 2 * group + i, span(0)], dtype="float16x8") for i in range(2)]
    return to_float(T.vectorcombine(f"float16x{LANES}", *rows))


def softening(heads: Heads, rows: int) -> Any:
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


def weighing(heads: Heads, kv_type: KvType, rows: int, width: int) -> Any:
    """Return the inline for what a stretch's values add up to: `width` rows of `size` numbers stay in registers."""
    size, vectors = heads.size, heads.size // LANES
    has_scales, num_groups = kv_type == "int8", size // GROUP

    @T.inline
    def weigh(V, TABLES, scores, new, sequence, h, first, count):
        for part in T.serial(rows // width):
            with T.sblock("rows"):
                T.reads()
                T.writes()
                sums = T.sblock_alloc_buffer((width * size,), "float32", scope="local")
                weights = T.sblock_alloc_buffer((width * num_groups * PAGE,), "float32", scope="local")
                for i in T.unroll(width * vectors):
                    sums[span(i * LANES)] = floats(0)
                for page in T.serial(count):
                    if has_scales:
                        for r in T.unroll(width):
                            for group in T.unroll(num_groups):
                                weights[span((r * num_groups + group) * PAGE)] = scores[
                                    span((part * width + r) * STRETCH + page * PAGE)
                                ] * _value_scales(V, TABLES[sequence, first + page], h, group)
                    for place in T.serial(PAGE):
                        for i in T.unroll(vectors):
                            for r in T.unroll(width):
                                sums[span(r * size + i * LANES)] += splat(
                                    weights[(r * num_groups + i * LANES // GROUP) * PAGE + place]
                                    if has_scales
                                    else scores[(part * width + r) * STRETCH + page * PAGE + place]
                                ) * to_float(V[TABLES[sequence, first + page], h, place, span(i * LANES)])
                for i in T.unroll(width * vectors):
                    new[span(part * width * size + i * LANES)] = sums[span(i * LANES)]

    return weigh


def _value_scales(V: Any, page: Expr, h: Expr, group: Expr) -> Expr:
    """Return the scales of 16 tokens for one group of dimensions."""
    return to_float(T.reinterpret(V[page, h, PAGE, span(group * GROUP, GROUP)], dtype=f"float16x{LANES}"))
