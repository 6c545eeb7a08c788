"""Which tile is the fastest on the machine at hand, for each shape of a matrix: a small search by measuring.

All tiles give the same bits, so that nothing but time depends on the choice.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import tvm

from .build import compile_operators
from .instruction_sets import InstructionSet
from .operators.linear import Tile, default_tile, fitting, linear
from .packing import BLOCK, STEP_BYTES, num_steps
from .quantization import GROUP
from .shape import MatrixShape

NUM_TOKENS = (4, 16, 64)
"""What is measured: few sequences that generate, many of them, a part of a prompt. One is the same with all tiles."""

LEAST_GAIN_RATIO = 0.03
"""What is not faster by more than this may be so by chance: the usual tile stays."""

Seconds: TypeAlias = tuple[float, ...]
"""The best time of one tile for each number of tokens."""

_LEAST_ROUNDS, _MOST_ROUNDS, _BUDGET_S = 2, 20, 0.25
_FEW_TOKENS = 16
_UNCACHED_BYTES, _MOST_COPIES = 64 * 2**20, 64  # a small model's weights stay in a cache of many megabytes
_HEIGHTS, _WIDTHS = (1, 2, 4, 8), (1, 2, 4)


def candidates(instruction_set: InstructionSet, num_outputs: int) -> list[Tile]:
    """Return the usual tile, then others at least half as large whose two accumulators leave a register free."""
    default = default_tile(instruction_set)
    least, most = _size(default) // 2, (instruction_set.registers - 1) // 2
    tiles = [Tile(height, width) for height in _HEIGHTS for width in _WIDTHS]
    fair = [tile for tile in (default, *tiles) if least <= _size(tile) <= most]
    return list(dict.fromkeys(fitting(tile, num_outputs) for tile in fair))


def _size(tile: Tile) -> int:
    return tile.num_tokens * tile.num_blocks


def best(usual: Tile, seconds: Mapping[Tile, Seconds]) -> Tile:
    """Return the tile that gains most over all numbers of tokens and loses nowhere, else the usual one. Pure."""

    def ratios(tile: Tile) -> list[float]:
        return [before / after for before, after in zip(seconds[usual], seconds[tile], strict=True)]

    harmless = [tile for tile in seconds if min(ratios(tile)) > 1 - LEAST_GAIN_RATIO]
    gains = {tile: float(np.prod(ratios(tile))) ** (1 / len(seconds[usual])) for tile in harmless}
    fastest = max(gains, key=lambda tile: gains[tile])
    return fastest if gains[fastest] > 1 + LEAST_GAIN_RATIO else usual


def search(
    shapes: list[MatrixShape], instruction_set: InstructionSet, num_cores: int
) -> Iterator[tuple[MatrixShape, Tile | None]]:
    """Yield each shape with its best tile, None where that is the usual one. Takes some two seconds for each."""
    for shape in shapes:
        tiles = candidates(instruction_set, shape.num_outputs)
        trial = _Trial(shape, tiles, instruction_set, num_cores)
        chosen = best(tiles[0], trial.measure(tiles))
        # A busy moment can make any tile look best: the winner must win again, against the usual one alone
        chosen = best(tiles[0], trial.measure(list(dict.fromkeys((tiles[0], chosen)))))
        yield shape, chosen if chosen != tiles[0] else None


class _Trial:
    """The kernels of one shape with all tiles, and arrays to run them on."""

    def __init__(self, shape: MatrixShape, tiles: list[Tile], instruction_set: InstructionSet, num_cores: int) -> None:
        names = {tile: f"tile_{tile.num_tokens}_{tile.num_blocks}" for tile in tiles}
        operators = {name: linear(instruction_set, *shape, tile) for tile, name in names.items()}
        module = compile_operators(operators, instruction_set, num_cores)
        self._kernels = {tile: module[name] for tile, name in names.items()}
        self._shape = shape
        self._weights = _weights(shape)

    def measure(self, tiles: list[Tile]) -> dict[Tile, Seconds]:
        """Return the times of some tiles. They take turns, so that a busy moment of the machine meets all of them."""
        columns = [self._best_times(tiles, num_tokens) for num_tokens in NUM_TOKENS]
        return {tile: tuple(column[tile] for column in columns) for tile in tiles}

    def _best_times(self, tiles: list[Tile], num_tokens: int) -> dict[Tile, float]:
        activations = _activations(self._shape, num_tokens)
        # What is read for many tokens need not come from memory each time
        weights = self._weights[: -(-_FEW_TOKENS * len(self._weights) // max(_FEW_TOKENS, num_tokens))]
        times = dict.fromkeys(tiles, float("inf"))
        end_s, rounds = time.perf_counter() + _BUDGET_S, 0
        while rounds < _LEAST_ROUNDS or (rounds < _MOST_ROUNDS and time.perf_counter() < end_s):
            for tile in tiles:
                times[tile] = min(times[tile], _call(self._kernels[tile], weights, activations))
            rounds += 1
        return times


def _call(kernel: Any, weights: list[tuple[Any, Any]], activations: tuple[Any, ...]) -> float:
    """Return the least time of a product, over weights that no cache holds all of."""
    least_s = float("inf")
    for pair in weights:
        started_s = time.perf_counter()
        kernel(*pair, *activations)
        least_s = min(least_s, time.perf_counter() - started_s)
    return least_s


def _weights(shape: MatrixShape) -> list[tuple[Any, Any]]:
    """Return as many copies as are too large for a cache, where a step would not find them either."""
    blocks, groups = shape.num_outputs // BLOCK, shape.num_inputs // GROUP
    codes = np.full((blocks, groups, num_steps(shape.bits), STEP_BYTES), 0x5A, np.uint8)
    scales = np.full((blocks, groups, BLOCK), 0.01, np.float16)
    num_copies = min(_MOST_COPIES, -(-_UNCACHED_BYTES // codes.nbytes))
    return [(tvm.runtime.tensor(codes), tvm.runtime.tensor(scales)) for _ in range(num_copies)]


def _activations(shape: MatrixShape, num_tokens: int) -> tuple[Any, ...]:
    groups = shape.num_inputs // GROUP
    arrays = (
        np.ones((num_tokens, shape.num_inputs), np.int8),
        np.ones((num_tokens, groups), np.float32),
        np.full((num_tokens, groups), GROUP, np.int32),
        np.zeros((num_tokens, shape.num_outputs), np.float32),
    )
    return tuple(tvm.runtime.tensor(array) for array in arrays)
