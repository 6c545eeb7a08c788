"""How weight codes lie in memory, so that one load feeds sixteen outputs: the same on every processor.

A block holds 16 outputs. Within it, the codes of one group of 32 inputs are cut into steps of 4 inputs, because the
dot instructions multiply 4 bytes at a time and add them up in one lane:

    8 bits   [block, group, step 0-7, 64 bytes]     byte 4 * output + i  =  code(output, 4 * step + i)
    4 bits   [block, group, step 0-3, 64 bytes]     low half: steps 0-3, high half: steps 4-7
    scales   [block, group, 16] float16

    step p of a group:   | o0: k k k k | o1: k k k k |  ...  | o15: k k k k |     64 bytes, one 512-bit register

What is stored is `code + offset`: 8 for 4 bits, so that halves are never negative; for 8 bits what the processor's
instruction wants (128 where it reads weights as unsigned).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .quantization import GROUP, Bits, CodeArray, Weights

BLOCK = 16
"""Outputs that are computed side by side: the lanes of the widest register."""

STEP = 4
"""Inputs that one lane of a dot instruction takes in."""

STEP_BYTES = BLOCK * STEP
NIBBLE_OFFSET = 8


class PackedWeights(NamedTuple):
    """Weights as the kernels read them; `num_outputs` rounded up to whole blocks, whose rest is zero."""

    codes: npt.NDArray[np.uint8]
    scales: npt.NDArray[np.float16]


def num_steps(bits: Bits) -> int:
    """Return how many rows of 64 bytes the codes of one block and group take."""
    return GROUP // STEP * bits // 8


def offset_of(bits: Bits, int8_offset: int) -> int:
    """Return what is added to a code where it is stored."""
    return NIBBLE_OFFSET if bits == 4 else int8_offset


def padded(num_outputs: int) -> int:
    """Return the outputs of whole blocks that hold so many."""
    return -(-num_outputs // BLOCK) * BLOCK


def pack(weights: Weights, bits: Bits, int8_offset: int) -> PackedWeights:
    """Return the weights in blocks. `int8_offset` is the instruction set's, and matters for 8 bits only."""
    num_outputs, num_inputs = weights.codes.shape
    num_blocks, num_groups = padded(num_outputs) // BLOCK, num_inputs // GROUP
    codes = np.zeros((num_blocks * BLOCK, num_inputs), np.int8)
    codes[:num_outputs] = weights.codes
    scales = np.zeros((num_blocks * BLOCK, num_groups), np.float16)
    scales[:num_outputs] = weights.scales
    offset = offset_of(bits, int8_offset)
    stored = (codes.astype(np.int16) + offset).astype(np.uint8)
    steps = stored.reshape(num_blocks, BLOCK, num_groups, GROUP // STEP, STEP).transpose(0, 2, 3, 1, 4)
    rows: npt.NDArray[np.uint8] = steps.reshape(num_blocks, num_groups, GROUP // STEP, STEP_BYTES)
    if bits == 4:
        half = GROUP // STEP // 2
        rows = rows[:, :, :half] | (rows[:, :, half:] << np.uint8(4))
    blocks_of_scales = scales.reshape(num_blocks, BLOCK, num_groups).transpose(0, 2, 1)
    return PackedWeights(np.ascontiguousarray(rows), np.ascontiguousarray(blocks_of_scales))


def unpack(packed: PackedWeights, bits: Bits, int8_offset: int) -> Weights:
    """Return what `pack` was given, with the rows that fill the last block."""
    rows = np.concatenate((packed.codes & 0x0F, packed.codes >> 4), axis=2) if bits == 4 else packed.codes
    num_blocks, num_groups = rows.shape[:2]
    offset = offset_of(bits, int8_offset)
    steps = (rows.astype(np.int16) - offset).astype(np.int8).reshape(num_blocks, num_groups, -1, BLOCK, STEP)
    codes: CodeArray = steps.transpose(0, 3, 1, 2, 4).reshape(num_blocks * BLOCK, num_groups * GROUP)
    scales = packed.scales.transpose(0, 2, 1).reshape(num_blocks * BLOCK, num_groups)
    return Weights(codes, scales)
