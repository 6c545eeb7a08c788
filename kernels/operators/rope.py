"""Rotary embedding, and the new keys and values into their pages.

    qkv      (n, (H + 2 KV) D) float32      queries of H heads, keys of KV heads, values of KV heads
    bias     ((H + 2 KV) D,) float32        added first, where the model has one (Qwen2)
    norms    (2, D) float32                 RMSNorm of each head of queries and of keys, where it has them (Qwen3)
    turns    (max_positions, 2, D/2)        cosines and sines of every position
    positions, slots (n,) int32             where a token stands in its sequence, and in the pages
    queries  (n, H D) float32               rotated and multiplied by D^-1/2, as attention wants them
    keys, values                            pages, see `paging.py`

A head's halves (x, y) turn as pairs: (x cos - y sin, y cos + x sin).
Source: J. Su and others, "RoFormer", 2021, with the halves of a head as GPT-NeoX pairs them.
"""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from tvm.script import tirx as T
from tvm.tirx import PrimFunc

from kernels.operators.norm import normalized
from kernels.operators.quantize import SERIAL_TOKENS
from kernels.paging import PAGE, KvType, Pages, key_shape, key_tokens, value_shape, value_tokens, write_tokens
from kernels.quantization import GROUP, FloatArray
from kernels.shape import Heads
from kernels.vectors import LANES, Expr, floats, largest_magnitude_of, magnitude, span, splat


def reference(
    heads: Heads,
    qkv: FloatArray,
    bias: FloatArray,
    norms: FloatArray,
    turns: FloatArray,
    positions: npt.NDArray[np.int32],
    slots: npt.NDArray[np.int32],
    keys: Pages,
    values: Pages,
) -> FloatArray:
    """Return the queries; `keys` and `values` are written to."""
    per_head = (qkv + bias if heads.has_bias else qkv).reshape(len(qkv), -1, heads.size)
    queries, new_keys, new_values = np.split(per_head, (heads.num_queries, heads.num_queries + heads.num_kv), axis=1)
    if heads.norm_epsilon is not None:
        queries = normalized(queries, norms[0], heads.norm_epsilon)
        new_keys = normalized(new_keys, norms[1], heads.norm_epsilon)
    queries, new_keys = (_turned(each, turns[positions]) for each in (queries, new_keys))
    write_tokens(key_tokens(keys), slots, new_keys)
    write_tokens(value_tokens(values), slots, new_values)
    return (queries.reshape(len(qkv), -1) * np.float32(heads.size**-0.5)).astype(np.float32)


def _turned(per_head: FloatArray, turns: FloatArray) -> FloatArray:
    cosines, sines = turns[:, None, 0], turns[:, None, 1]
    x, y = np.split(per_head, 2, axis=-1)
    return np.concatenate((x * cosines - y * sines, y * cosines + x * sines), axis=-1)


@cache
def rope_append(heads: Heads, kv_type: KvType) -> PrimFunc:
    """Return `f(qkv, bias, norms, turns, positions, slots, keys, values, queries)`; `keys`, `values` in place."""
    size, half = heads.size, heads.size // 2
    load, turn = _load(heads), _turn(heads)
    store_key, store_value = _stores(heads) if kv_type == "f16" else _stores_of_codes(heads)
    key, value = key_shape(heads, kv_type), value_shape(heads, kv_type)
    num_queries, num_kv = heads.num_queries, heads.num_kv
    scale = size**-0.5

    @T.inline
    def token_of(X, BIAS, NORMS, TURNS, POSITIONS, SLOTS, K, V, Q, token):
        with T.sblock("token"):
            T.reads()
            T.writes()
            head = T.sblock_alloc_buffer((size,), "float32", scope="local")
            turned = T.sblock_alloc_buffer((size,), "float32", scope="local")
            page: T.let[T.int32] = SLOTS[token] // PAGE
            place: T.let[T.int32] = SLOTS[token] % PAGE
            for h in T.serial(num_queries):
                load(X, BIAS, NORMS, head, token, h, 0)
                turn(TURNS, POSITIONS, head, turned, token)
                for i in T.unroll(size // LANES):
                    Q[token, span(h * size + i * LANES)] = turned[span(i * LANES)] * floats(scale)
            for h in T.serial(num_kv):
                load(X, BIAS, NORMS, head, token, num_queries + h, 1)
                turn(TURNS, POSITIONS, head, turned, token)
                store_key(K, turned, page, h, place)
            for h in T.serial(num_kv):
                load(X, BIAS, NORMS, head, token, num_queries + num_kv + h, 2)
                store_value(V, head, page, h, place)

    @T.prim_func(s_tir=True)
    def rope_append_kernel(
        qkv: T.handle,
        bias: T.handle,
        norms: T.handle,
        turns: T.handle,
        positions: T.handle,
        slots: T.handle,
        keys: T.handle,
        values: T.handle,
        queries: T.handle,
    ):
        T.func_attr({"tirx.noalias": True, "tirx.is_scheduled": True})
        n, num_pages, max_positions = T.int64(), T.int64(), T.int64()
        X = T.match_buffer(qkv, (n, heads.width), "float32")
        BIAS = T.match_buffer(bias, (heads.width,), "float32")
        NORMS = T.match_buffer(norms, (2, size), "float32")
        TURNS = T.match_buffer(turns, (max_positions, 2, half), "float32")
        POSITIONS = T.match_buffer(positions, (n,), "int32")
        SLOTS = T.match_buffer(slots, (n,), "int32")
        K = T.match_buffer(keys, (num_pages, num_kv, key.rows, key.columns), key.dtype)
        V = T.match_buffer(values, (num_pages, num_kv, value.rows, value.columns), value.dtype)
        Q = T.match_buffer(queries, (n, num_queries * size), "float32")
        if n < SERIAL_TOKENS:
            for token in T.serial(n):
                token_of(X, BIAS, NORMS, TURNS, POSITIONS, SLOTS, K, V, Q, token)
        else:
            for token in T.parallel(n):
                token_of(X, BIAS, NORMS, TURNS, POSITIONS, SLOTS, K, V, Q, token)

    return rope_append_kernel


def _load(heads: Heads) -> Any:
    """Return the inline that brings one head of a token into a local buffer: biased, and normed if it is no value."""
    size = heads.size
    factor = _norm_factor(heads)

    @T.inline
    def load(X, BIAS, NORMS, head, token, number, kind):
        for i in T.unroll(size // LANES):
            head[span(i * LANES)] = (
                X[token, span(number * size + i * LANES)] + BIAS[span(number * size + i * LANES)]
                if heads.has_bias
                else X[token, span(number * size + i * LANES)]
            )
        factor(NORMS, head, kind)

    return load


def _norm_factor(heads: Heads) -> Any:
    size, epsilon = heads.size, heads.norm_epsilon
    if epsilon is None:

        @T.inline
        def leave(NORMS, head, kind):
            T.evaluate(0)

        return leave

    @T.inline
    def norm(NORMS, head, kind):
        if kind < 2:
            with T.sblock("norm"):
                T.reads()
                T.writes()
                total = T.sblock_alloc_buffer((1,), "float32", scope="local")
                total[0] = T.float32(0)
                for d in T.serial(size):
                    total[0] += head[d] * head[d]
                total[0] = T.float32(1) / T.sqrt(total[0] / T.float32(size) + T.float32(epsilon))
                for i in T.unroll(size // LANES):
                    head[span(i * LANES)] = head[span(i * LANES)] * splat(total[0]) * NORMS[kind, span(i * LANES)]

    return norm


def _turn(heads: Heads) -> Any:
    """Return the inline that rotates a head from one local buffer into another."""
    half = heads.size // 2

    @T.inline
    def turn(TURNS, POSITIONS, head, turned, token):
        for i in T.unroll(half // LANES):
            turned[span(i * LANES)] = (
                head[span(i * LANES)] * TURNS[POSITIONS[token], 0, span(i * LANES)]
                - head[span(half + i * LANES)] * TURNS[POSITIONS[token], 1, span(i * LANES)]
            )
            turned[span(half + i * LANES)] = (
                head[span(half + i * LANES)] * TURNS[POSITIONS[token], 0, span(i * LANES)]
                + head[span(i * LANES)] * TURNS[POSITIONS[token], 1, span(i * LANES)]
            )

    return turn


def _stores(heads: Heads) -> tuple[Any, Any]:
    """Return the inlines that put a head's key, and its value, into their pages as halves."""
    size = heads.size

    @T.inline
    def store_key(K, head, page, h, place):
        for d in T.serial(size):
            K[page, h, d, place] = T.cast(head[d], "float16")

    @T.inline
    def store_value(V, head, page, h, place):
        for i in T.unroll(size // LANES):
            V[page, h, place, span(i * LANES)] = T.cast(head[span(i * LANES)], f"float16x{LANES}")

    return store_key, store_value


def _stores_of_codes(heads: Heads) -> tuple[Any, Any]:
    """Return the inlines that put them there as codes of 8 bits, each with the scales of its groups."""
    size, num_groups = heads.size, heads.size // GROUP

    @T.inline
    def encode(head, codes, scales):
        for group in T.unroll(num_groups):
            with T.sblock("group"):
                T.reads()
                T.writes()
                divisor = T.sblock_alloc_buffer((1,), "float32", scope="local")
                divisor[0] = largest_magnitude_of(
                    T.max(magnitude(head[span(group * GROUP)]), magnitude(head[span(group * GROUP + LANES)]))
                )
                scales[group] = T.cast(divisor[0] / T.float32(127), "float16")
                divisor[0] = T.cast(scales[group], "float32")
                if divisor[0] == T.float32(0):
                    divisor[0] = T.float32(1)
                for half in T.unroll(GROUP // LANES):
                    codes[span(group * GROUP + half * LANES)] = _int8(
                        head[span(group * GROUP + half * LANES)] / splat(divisor[0])
                    )

    def encoded(put: Any) -> Any:
        """Return the inline that encodes a head and then does `put`."""

        @T.inline
        def store(PAGES, head, page, h, place):
            with T.sblock("codes"):
                T.reads()
                T.writes()
                codes = T.sblock_alloc_buffer((size,), "int8", scope="local")
                scales = T.sblock_alloc_buffer((num_groups,), "float16", scope="local")
                encode(head, codes, scales)
                put(PAGES, codes, scales, page, h, place)

        return store

    @T.inline
    def put_key(K, codes, scales, page, h, place):
        for d in T.serial(size):
            K[page, h, d, place] = codes[d]
        for group in T.unroll(num_groups):
            K[page, h, size + 2 * group + place // 8, span(2 * (place % 8), 2)] = _two_bytes(scales[group])

    @T.inline
    def put_value(V, codes, scales, page, h, place):
        for i in T.unroll(size // LANES):
            V[page, h, place, span(i * LANES)] = codes[span(i * LANES)]
        for group in T.unroll(num_groups):
            V[page, h, PAGE, span(2 * (group * PAGE + place), 2)] = _two_bytes(scales[group])

    return encoded(put_key), encoded(put_value)


def _int8(vector: Expr) -> Expr:
    """Return the nearest codes: a scale too small for a half would give larger ones than there are."""
    nearest = T.max(T.min(T.nearbyint(vector), floats(127)), floats(-127))
    return T.cast(T.cast(nearest, f"int32x{LANES}"), f"int8x{LANES}")


def _two_bytes(half: Expr) -> Expr:
    return T.reinterpret(half, dtype="int8x2")
