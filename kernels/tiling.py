"""How the work of attention is cut: tokens into tiles, and for few tiles their context into stretches. NumPy only.

    tiles   (num_tiles, 4) int32   first token; 1 where a full tile of neighbours begins there, 0 for one token;
                                   the stretches of context to compute, `[first, end)`
    folds   (num_folds, 4) int32   first token and kind of a tile whose stretches are rows of `tiles`; the first of
                                   these rows, and their number. None where each tile has all of its stretches

A tile reads all keys and values before it, so its stretches are what it costs. Threads take equal shares of the rows,
once for each KV head.
"""

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from .shape import Heads

Integers: TypeAlias = npt.NDArray[np.int32]

MAX_ROWS = 32
"""Query heads times tokens that go through the keys together."""

STRETCH = 128
"""Tokens of context whose scores are held at once."""

_SHARED_RATIO, _FOLD_STRETCHES = 1.2, 4
"""What handing stretches out costs: each takes longer, and to fold them all threads are woken once more."""

_DEALT_TILES = 4
"""With more tiles for each thread than this, dealing is fair enough."""


class Tiling(NamedTuple):
    """The two arrays that attention is given."""

    tiles: Integers
    folds: Integers


def tile_tokens(heads: Heads) -> int:
    """Return the tokens of a full tile: a power of two, as many as give `MAX_ROWS` rows at most."""
    return 1 << max(0, (MAX_ROWS // heads.group).bit_length() - 1)


def tiling_of(runs: Integers, starts: Integers, heads: Heads, num_threads: int = 1) -> Tiling:
    """Return the tiles for runs of so many neighbouring tokens, behind `starts` others of their sequences.

    Later tiles of a prompt see more context, so tiles are dealt out in turns, like cards. Where there are few, and
    threads would wait for the one with the longest, they are handed out by stretches instead.
    """
    height = tile_tokens(heads)
    tiles = whole_tiles(runs, starts, height)
    tiles = tiles[np.concatenate([np.arange(thread, len(tiles), num_threads) for thread in range(num_threads)])]
    if num_threads > 1 and len(tiles) <= _DEALT_TILES * num_threads:
        costs, num_stretches = np.where(tiles[:, 1] == 1, height, 1), tiles[:, 3]
        waited = _longest_share(costs * num_stretches, heads.num_kv, num_threads)
        shared = _longest_share(np.repeat(costs, num_stretches), heads.num_kv, num_threads)
        if shared * _SHARED_RATIO + _FOLD_STRETCHES < waited:
            return by_stretches(tiles)
    return Tiling(tiles, np.empty((0, 4), np.int32))


def whole_tiles(runs: Integers, starts: Integers, height: int) -> Integers:
    """Return the tiles in the order of the tokens, each with all of its stretches."""
    tiles: list[tuple[int, int, int, int]] = []
    first = 0
    for length, start in zip(runs.tolist(), starts.tolist(), strict=True):
        full_end = length // height * height
        tiles += [(first + i, 1, 0, -(-(start + i + height) // STRETCH)) for i in range(0, full_end, height)]
        tiles += [(first + i, 0, 0, -(-(start + i + 1) // STRETCH)) for i in range(full_end, length)]
        first += length
    return np.array(tiles, np.int32)


def _longest_share(costs: Integers, num_kv: int, num_threads: int) -> int:
    """Return what the busiest thread has to do, if each takes as many of the rows as the others."""
    tasks = np.tile(costs, num_kv)
    return int(np.add.reduceat(tasks, np.arange(0, len(tasks), -(-len(tasks) // num_threads))).max())


def by_stretches(tiles: Integers) -> Tiling:
    """Return a row for each stretch of whole tiles, and what folds them."""
    num_stretches = tiles[:, 3]
    firsts = (np.cumsum(num_stretches) - num_stretches).astype(np.int32)
    rows = np.repeat(tiles, num_stretches, axis=0)
    rows[:, 2] = np.arange(len(rows)) - np.repeat(firsts, num_stretches)
    rows[:, 3] = rows[:, 2] + 1
    return Tiling(rows, np.column_stack((tiles[:, :2], firsts, num_stretches)))
