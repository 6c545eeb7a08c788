"""The quantized matrix product against whole numbers."""

import numpy as np
import pytest
import tvm

from kernels.instruction_sets import AVX512_VNNI, InstructionSet
from kernels.operators.linear import Tile, default_tile, linear, reference
from kernels.packing import num_steps, pack
from kernels.quantization import Bits, Weights, quantize_activations, quantize_weights
from tests.unit.kernels.compiled import compiled, on_each_instruction_set

NUM_OUTPUTS, NUM_INPUTS = 96, 160


def random_weights(bits: Bits) -> Weights:
    return quantize_weights(np.random.default_rng(1).standard_normal((NUM_OUTPUTS, NUM_INPUTS)), bits)


def product(
    instruction_set: InstructionSet, bits: Bits, weights: Weights, num_tokens: int, tile: Tile, start: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return what the kernel adds to `start`, and what it should be."""
    rows = np.random.default_rng(num_tokens).standard_normal((num_tokens, NUM_INPUTS)).astype(np.float32)
    activations, packed = quantize_activations(rows), pack(weights, bits, instruction_set.int8_offset)
    y = np.full((num_tokens, NUM_OUTPUTS), start, np.float32)
    kernel = linear(instruction_set, NUM_OUTPUTS, NUM_INPUTS, bits, tile, accumulates=start != 0)
    compiled(kernel, instruction_set)(*packed, *activations, y)
    return y, start + reference(weights, activations)


@on_each_instruction_set
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("num_tokens", [1, 2, 3, 4, 5, 7, 8, 13, 47])
def test_it_is_exact_for_any_number_of_tokens(instruction_set: InstructionSet, bits: Bits, num_tokens: int) -> None:
    y, expected = product(instruction_set, bits, random_weights(bits), num_tokens, default_tile(instruction_set))
    np.testing.assert_allclose(y, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


@on_each_instruction_set
@pytest.mark.parametrize("bits", [4, 8])
def test_it_adds_to_what_is_there_where_it_accumulates(instruction_set: InstructionSet, bits: Bits) -> None:
    y, expected = product(instruction_set, bits, random_weights(bits), 3, default_tile(instruction_set), start=5.0)
    np.testing.assert_allclose(y, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


@on_each_instruction_set
@pytest.mark.parametrize("bits", [4, 8])
def test_the_greatest_codes_do_not_overflow(instruction_set: InstructionSet, bits: Bits) -> None:
    codes = np.where(np.arange(NUM_OUTPUTS)[:, None] % 2, 127 if bits == 8 else 7, -127 if bits == 8 else -8)
    weights = Weights(
        np.broadcast_to(codes, (NUM_OUTPUTS, NUM_INPUTS)).astype(np.int8),
        np.ones((NUM_OUTPUTS, NUM_INPUTS // 32), np.float16),
    )
    packed = pack(weights, bits, instruction_set.int8_offset)
    for sign in (1, -1):
        activations = quantize_activations(np.full((2, NUM_INPUTS), sign, np.float32))
        y = np.empty((2, NUM_OUTPUTS), np.float32)
        kernel = linear(instruction_set, NUM_OUTPUTS, NUM_INPUTS, bits, default_tile(instruction_set))
        compiled(kernel, instruction_set)(*packed, *activations, y)
        np.testing.assert_allclose(y, reference(weights, activations), rtol=1e-6)


@on_each_instruction_set
@pytest.mark.parametrize("tile", [Tile(1, 1), Tile(2, 2), Tile(8, 1), Tile(1, 6)], ids=str)
def test_a_row_is_the_same_to_the_last_bit_in_any_tile(instruction_set: InstructionSet, tile: Tile) -> None:
    weights = random_weights(4)
    whole, _ = product(instruction_set, 4, weights, 13, default_tile(instruction_set))
    tiled, _ = product(instruction_set, 4, weights, 13, tile)
    np.testing.assert_array_equal(whole, tiled)


@on_each_instruction_set
@pytest.mark.parametrize("tile", [None, Tile(4, 2)], ids=str)
@pytest.mark.parametrize("num_tokens", [1, 2, 3, 6, 32])
def test_a_row_is_the_same_to_the_last_bit_alone_and_among_others(
    instruction_set: InstructionSet, tile: Tile | None, num_tokens: int
) -> None:
    rows = np.random.default_rng(0).standard_normal((47, NUM_INPUTS)).astype(np.float32)
    packed = pack(random_weights(4), 4, instruction_set.int8_offset)
    kernel = linear(instruction_set, NUM_OUTPUTS, NUM_INPUTS, 4, tile or default_tile(instruction_set))
    results = []
    for count in (47, num_tokens):
        y = np.empty((count, NUM_OUTPUTS), np.float32)
        compiled(kernel, instruction_set)(*packed, *quantize_activations(rows[:count]), y)
        results.append(y[:num_tokens])
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("bits", [4, 8])
def test_every_tile_asks_for_all_lines_of_a_group_of_its_blocks(bits: Bits) -> None:
    kernel = linear(AVX512_VNNI, NUM_OUTPUTS, NUM_INPUTS, bits, Tile(4, 2)).with_attr("global_symbol", "kernel")
    built = tvm.compile(tvm.IRModule({"kernel": kernel}), target=AVX512_VNNI.target(2))
    lines_of_codes_and_scales = num_steps(bits) + 1
    blocks_of_tiles = (2, 2, 2, 2, 1, 1)  # of 4 tokens (at once; while they compute), 2 and 1; 2 and 1 with no more
    num_fetches = built.mod.inspect_source("asm").count("prefetcht0")
    assert num_fetches % lines_of_codes_and_scales == 0
    assert num_fetches >= lines_of_codes_and_scales * sum(blocks_of_tiles)  # LLVM may write a loop twice
