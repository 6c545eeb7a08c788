"""Norms, SwiGLU, quantization, embedding and gather against their references."""

import numpy as np
import pytest

from kernels.instruction_sets import InstructionSet
from kernels.operators import embedding, gather, norm, quantize, swiglu
from kernels.packing import pack
from kernels.quantization import GROUP, Activations, Bits, quantize_weights
from tests.unit.kernels.compiled import compiled, on_each_instruction_set

NUM_TOKENS = pytest.mark.parametrize("num_tokens", [1, 7, 8, 19])
WIDTH, EPSILON = 160, 1e-5


def empty(num_tokens: int) -> Activations:
    groups = (num_tokens, WIDTH // GROUP)
    return Activations(np.empty((num_tokens, WIDTH), np.int8), np.empty(groups, np.float32), np.empty(groups, np.int32))


def rows(num_tokens: int, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(num_tokens).standard_normal((num_tokens, width)).astype(np.float32) * 3


def assert_quantized(got: Activations, expected: Activations) -> None:
    """Scales agree to the last digits; a code may differ by one where a value stood between two."""
    np.testing.assert_allclose(got.scales, expected.scales, rtol=1e-6)
    difference = got.codes.astype(int) - expected.codes
    assert np.abs(difference).max() <= 1
    assert np.count_nonzero(difference) <= 0.002 * difference.size
    np.testing.assert_array_equal(got.sums, got.codes.reshape(*got.sums.shape, GROUP).sum(-1, dtype=np.int32))


@on_each_instruction_set
@NUM_TOKENS
def test_quantization(instruction_set: InstructionSet, num_tokens: int) -> None:
    x, got = rows(num_tokens), empty(num_tokens)
    compiled(quantize.quantize(WIDTH), instruction_set)(x, *got)
    expected = quantize.reference(x)
    np.testing.assert_array_equal(got.codes, expected.codes)
    np.testing.assert_array_equal(got.sums, expected.sums)
    assert_quantized(got, expected)


@on_each_instruction_set
@NUM_TOKENS
def test_the_norm(instruction_set: InstructionSet, num_tokens: int) -> None:
    x, weight, got = rows(num_tokens), np.linspace(0.5, 2, WIDTH, dtype=np.float32), empty(num_tokens)
    compiled(norm.rms_norm(WIDTH, EPSILON), instruction_set)(x, weight, *got)
    assert_quantized(got, norm.reference(x, weight, EPSILON))


@on_each_instruction_set
@NUM_TOKENS
def test_swiglu_also_of_great_numbers(instruction_set: InstructionSet, num_tokens: int) -> None:
    x, got = rows(num_tokens, 2 * WIDTH), empty(num_tokens)
    x[0, :4] = (200, -200, 60, -60)
    compiled(swiglu.swiglu(WIDTH), instruction_set)(x, *got)
    assert_quantized(got, swiglu.reference(x))


@on_each_instruction_set
@pytest.mark.parametrize("bits", [4, 8])
@NUM_TOKENS
def test_the_embedding_is_exact(instruction_set: InstructionSet, bits: Bits, num_tokens: int) -> None:
    weights = quantize_weights(rows(48), bits)
    ids = np.random.default_rng(0).integers(0, 48, num_tokens).astype(np.int32)
    y = np.empty((num_tokens, WIDTH), np.float32)
    kernel = embedding.embedding(instruction_set, 48, WIDTH, bits)
    compiled(kernel, instruction_set)(ids, *pack(weights, bits, instruction_set.int8_offset), y)
    np.testing.assert_array_equal(y, embedding.reference(ids, weights))


@on_each_instruction_set
def test_rows_are_gathered_in_the_order_that_is_asked_for(instruction_set: InstructionSet) -> None:
    x, wanted, y = rows(5), np.array([4, 0, 4], np.int32), np.empty((3, WIDTH), np.float32)
    compiled(gather.gather(WIDTH), instruction_set)(x, wanted, y)
    np.testing.assert_array_equal(y, gather.reference(x, wanted))
