"""Quantizers against their definition: the error is at most half a step, and the bytes are GGML's."""

import struct

import numpy as np
import pytest

from models.formats.quantize import decode, encode

NOISE = np.random.default_rng(7).standard_normal((16, 64)).astype(np.float32)


def largest_of_each_block(values: np.ndarray) -> np.ndarray:
    blocks = np.abs(values.reshape(-1, 32))
    return np.repeat(blocks.max(axis=1), 32)


def test_q8_0_is_off_by_half_a_step_at_most() -> None:
    error = np.abs(decode(encode(NOISE, "Q8_0"), "Q8_0") - NOISE.reshape(-1))
    assert np.all(error <= largest_of_each_block(NOISE) * (0.5 / 127 + 2**-11) + 1e-7)


def test_q4_0_is_off_by_one_step_at_most() -> None:
    error = np.abs(decode(encode(NOISE, "Q4_0"), "Q4_0") - NOISE.reshape(-1))
    assert np.all(error <= largest_of_each_block(NOISE) * (1 / 8 + 2**-10))
    assert error.mean() < largest_of_each_block(NOISE).mean() / 25


def test_plain_types_come_back_as_they_were() -> None:
    assert np.array_equal(decode(encode(NOISE, "F32"), "F32"), NOISE.reshape(-1))
    assert np.allclose(decode(encode(NOISE, "F16"), "F16"), NOISE.reshape(-1), rtol=1e-3)


def test_a_q8_0_block_has_the_bytes_of_its_definition() -> None:
    block = np.zeros((1, 32), np.float32)
    block[0, :3] = (127, -127, 0.5)
    assert encode(block, "Q8_0") == struct.pack("<e3b29x", 1.0, 127, -127, 1)


def test_a_q4_0_block_keeps_its_halves_in_the_low_and_the_high_nibbles() -> None:
    block = np.zeros((1, 32), np.float32)
    block[0, 0], block[0, 16] = -8, 7
    data = encode(block, "Q4_0")
    assert data[:3] == struct.pack("<eB", 1.0, 0xF0)
    assert data[3:] == b"\x88" * 15


@pytest.mark.parametrize("tensor_type", ["Q8_0", "Q4_0"])
def test_zeros_stay_zeros(tensor_type: str) -> None:
    zeros = np.zeros((2, 32), np.float32)
    assert not decode(encode(zeros, tensor_type), tensor_type).any()


def test_rows_that_do_not_divide_into_blocks_are_refused() -> None:
    with pytest.raises(ValueError, match="33 elements"):
        encode(np.zeros((2, 33), np.float32), "Q8_0")


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(ValueError, match="Q3_K"):
        encode(NOISE, "Q3_K")
    with pytest.raises(ValueError, match="Q3_K"):
        decode(b"", "Q3_K")
