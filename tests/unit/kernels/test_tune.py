"""Which tiles are tried, and when another than the usual one is taken."""

import pytest

from kernels.instruction_sets import AVX2, AVX512_VNNI, InstructionSet
from kernels.operators.linear import Tile, default_tile
from kernels.shape import MatrixShape
from kernels.tune import NUM_TOKENS, best, candidates, search
from tests.unit.kernels.compiled import native

USUAL, OTHER, THIRD = Tile(4, 2), Tile(8, 1), Tile(2, 4)


@pytest.mark.parametrize("instruction_set", [AVX512_VNNI, AVX2], ids=lambda each: each.name)
def test_only_tiles_whose_accumulators_leave_a_register_are_tried_the_usual_one_first(
    instruction_set: InstructionSet,
) -> None:
    tiles = candidates(instruction_set, 1024)

    assert tiles[0] == default_tile(instruction_set)
    assert len(set(tiles)) == len(tiles) > 1
    assert all(2 * tile.num_tokens * tile.num_blocks < instruction_set.registers for tile in tiles)


def test_a_tile_has_no_more_blocks_than_divide_the_matrix() -> None:
    assert {tile.num_blocks for tile in candidates(AVX512_VNNI, 16 * 7)} == {1}


def test_the_tile_that_gains_most_is_taken() -> None:
    seconds = {USUAL: (1.0, 1.0, 1.0), OTHER: (1.0, 0.8, 1.0), THIRD: (1.0, 0.9, 1.0)}
    assert best(USUAL, seconds) == OTHER


def test_a_gain_within_3_percent_may_be_chance() -> None:
    assert best(USUAL, {USUAL: (1.0, 1.0, 1.0), OTHER: (0.98, 0.975, 0.98)}) == USUAL


def test_a_tile_that_loses_anywhere_is_not_taken_for_what_it_gains_elsewhere() -> None:
    assert best(USUAL, {USUAL: (1.0, 1.0, 1.0), OTHER: (0.5, 0.5, 1.1)}) == USUAL


def test_every_shape_gets_an_answer() -> None:
    shapes = [MatrixShape(64, 64, 4), MatrixShape(32, 64, 8)]

    found = dict(search(shapes, native()[0], 1))

    assert list(found) == shapes
    assert len(NUM_TOKENS) == 3
    assert all(tile is None or tile in candidates(native()[0], shape.num_outputs) for shape, tile in found.items())
