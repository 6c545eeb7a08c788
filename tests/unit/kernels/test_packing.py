"""How weights lie in memory."""

import numpy as np
import pytest

from kernels.packing import BLOCK, STEP, pack, padded, unpack
from kernels.quantization import (
    GROUP,
    Bits,
    Weights,
    dequantize_activations,
    dequantize_weights,
    quantize_activations,
    quantize_weights,
)

BITS: tuple[Bits, ...] = (4, 8)


def random_weights(num_outputs: int, num_inputs: int, bits: Bits) -> Weights:
    rng = np.random.default_rng(num_outputs)
    return quantize_weights(rng.standard_normal((num_outputs, num_inputs)), bits)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("int8_offset", [0, 128])
def test_what_is_packed_comes_back(bits: Bits, int8_offset: int) -> None:
    weights = random_weights(48, 96, bits)
    again = unpack(pack(weights, bits, int8_offset), bits, int8_offset)
    np.testing.assert_array_equal(again.codes, weights.codes)
    np.testing.assert_array_equal(again.scales, weights.scales)


@pytest.mark.parametrize("bits", BITS)
def test_the_last_block_is_filled_with_zeros(bits: Bits) -> None:
    again = unpack(pack(random_weights(21, 64, bits), bits, 128), bits, 128)
    assert len(again.codes) == padded(21) == 32
    assert not again.codes[21:].any()
    assert not again.scales[21:].any()


def test_four_inputs_of_sixteen_outputs_are_neighbours() -> None:
    weights = random_weights(BLOCK, 2 * GROUP, 8)
    packed = pack(weights, 8, 0).codes.view(np.int8)
    for output, group, step in ((0, 0, 0), (15, 0, 7), (3, 1, 2)):
        first = group * GROUP + step * STEP
        np.testing.assert_array_equal(
            packed[0, group, step, output * STEP : output * STEP + STEP], weights.codes[output, first : first + STEP]
        )


def test_the_halves_of_a_byte_hold_inputs_that_stand_half_a_group_apart() -> None:
    weights = random_weights(BLOCK, GROUP, 4)
    packed = pack(weights, 4, 128).codes
    stored = packed[0, 0, 1, 5 * STEP + 2]
    assert (stored & 15) - 8 == weights.codes[5, STEP + 2]
    assert (stored >> 4) - 8 == weights.codes[5, GROUP // 2 + STEP + 2]


@pytest.mark.parametrize("bits", BITS)
def test_quantized_weights_differ_by_half_a_code_at_most_or_a_whole_one_beyond_the_highest(bits: Bits) -> None:
    matrix = np.random.default_rng(0).standard_normal((8, 64)).astype(np.float32)
    weights = quantize_weights(matrix, bits)
    difference = np.abs(dequantize_weights(weights) - matrix)
    scales = np.abs(np.repeat(weights.scales.astype(np.float32), GROUP, axis=1))
    rounding = 1.001 * np.abs(matrix).max() * 2.0**-11 * (8 if bits == 4 else 128)  # the scale's own, as float16
    is_highest = (weights.codes == 7) & (bits == 4)
    assert (difference <= np.where(is_highest, 1.0, 0.5) * scales + rounding).all()


def test_the_largest_of_a_group_keeps_its_magnitude_and_sign() -> None:
    matrix = np.random.default_rng(0).standard_normal((8, GROUP)).astype(np.float32)
    largest = np.abs(matrix).argmax(-1)[:, None]
    for bits in BITS:
        kept = np.take_along_axis(dequantize_weights(quantize_weights(matrix, bits)), largest, -1)
        np.testing.assert_allclose(kept, np.take_along_axis(matrix, largest, -1), rtol=2.0**-10)


def test_a_row_of_zeros_is_quantized_to_zeros() -> None:
    quantized = quantize_activations(np.zeros((1, 64), np.float32))
    assert not quantized.codes.any()
    assert np.isfinite(quantized.scales).all()
    assert not dequantize_activations(quantized).any()


def test_the_largest_of_a_group_keeps_its_place_at_127() -> None:
    row = np.linspace(-1, 3, GROUP, dtype=np.float32)[None]
    quantized = quantize_activations(row)
    assert quantized.codes[0, -1] == 127
    assert quantized.sums[0, 0] == quantized.codes.sum()
    assert np.abs(dequantize_activations(quantized) - row).max() <= 3 / 127 / 2 * 1.001
