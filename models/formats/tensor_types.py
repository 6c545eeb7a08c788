"""The tensor types of GGML: their numbers in a GGUF file, their names and their block sizes."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TensorType:
    """How a row of numbers is stored: in blocks of `block_elements`, each `block_bytes` long."""

    name: str
    block_elements: int
    block_bytes: int

    def size_bytes(self, shape: tuple[int, ...]) -> int:
        """Return the bytes of a tensor whose last dimension is a row of whole blocks."""
        return math.prod(shape) // self.block_elements * self.block_bytes


# Source: ggml.h (enum ggml_type) and ggml-common.h (the block_* structs). Numbers that are missing here were
# withdrawn upstream, or name types that only live in memory.
TENSOR_TYPES: dict[int, TensorType] = {
    0: TensorType("F32", 1, 4),
    1: TensorType("F16", 1, 2),
    2: TensorType("Q4_0", 32, 18),
    3: TensorType("Q4_1", 32, 20),
    6: TensorType("Q5_0", 32, 22),
    7: TensorType("Q5_1", 32, 24),
    8: TensorType("Q8_0", 32, 34),
    10: TensorType("Q2_K", 256, 84),
    11: TensorType("Q3_K", 256, 110),
    12: TensorType("Q4_K", 256, 144),
    13: TensorType("Q5_K", 256, 176),
    14: TensorType("Q6_K", 256, 210),
    15: TensorType("Q8_K", 256, 292),
    16: TensorType("IQ2_XXS", 256, 66),
    17: TensorType("IQ2_XS", 256, 74),
    18: TensorType("IQ3_XXS", 256, 98),
    19: TensorType("IQ1_S", 256, 50),
    20: TensorType("IQ4_NL", 32, 18),
    21: TensorType("IQ3_S", 256, 110),
    22: TensorType("IQ2_S", 256, 82),
    23: TensorType("IQ4_XS", 256, 136),
    24: TensorType("I8", 1, 1),
    25: TensorType("I16", 1, 2),
    26: TensorType("I32", 1, 4),
    27: TensorType("I64", 1, 8),
    28: TensorType("F64", 1, 8),
    29: TensorType("IQ1_M", 256, 56),
    30: TensorType("BF16", 1, 2),
    34: TensorType("TQ1_0", 256, 54),
    35: TensorType("TQ2_0", 256, 66),
    39: TensorType("MXFP4", 32, 17),
    40: TensorType("NVFP4", 64, 36),
    41: TensorType("Q1_0", 128, 18),
}

TENSOR_TYPE_NUMBERS: dict[str, int] = {kind.name: number for number, kind in TENSOR_TYPES.items()}


def type_named(name: str) -> TensorType:
    """Return the type of that name. Raises: KeyError."""
    return TENSOR_TYPES[TENSOR_TYPE_NUMBERS[name]]
