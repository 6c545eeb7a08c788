"""What the daemon and the worker must agree on about this backend. Imports no native library."""

from collections.abc import Set

from appliance.core.hardware import Instruction

PINS = {"apache-tvm": "0.27.0.post1", "apache-tvm-ffi": "0.1.14.post1"}
"""The only pair that works: apache-tvm-ffi 0.1.15.post2, which the compiler's own range admits, ends its process."""

FORMATS = frozenset({"gguf", "safetensors"})
KV_TYPE = "f16"
KV_BYTES_OF_32 = {KV_TYPE: 64, "int8": 34}
"""What 32 numbers of keys or values take: codes of 8 bits have a scale. A test compares it with the kernels."""

MAX_STEP_OUTPUTS = 64
"""As the kernels plan their memory; a test compares the two."""

ADOPTED_QUANTIZATIONS = frozenset({"Q4_0", "Q8_0"})
"""Whose codes our kernels take as they are. Others can be asked for by name: they are quantized anew, to 8 bits."""

ARCHITECTURES = frozenset({"llama", "mistral", "qwen2", "qwen3"})
FASTER_ON = frozenset({"avx512_vnni"})
"""Where it was measured that our kernels are the faster ones; elsewhere they run when they are asked for."""

LEAST_PARAMETERS = 50_000_000
"""A smaller model is fast enough in any way, and not worth the memory."""

_PATHS: tuple[tuple[str, frozenset[Instruction]], ...] = (
    ("avx512_vnni", frozenset({Instruction.AVX512_VNNI})),
    ("avx_vnni", frozenset({Instruction.AVX_VNNI})),
    ("avx2", frozenset({Instruction.AVX2})),
    ("i8mm", frozenset({Instruction.I8MM})),
    ("dotprod", frozenset({Instruction.DOTPROD})),
    ("neon", frozenset({Instruction.NEON})),
)

INSTRUCTION_SETS = tuple(name for name, _ in _PATHS)


def instruction_set_for(instructions: Set[Instruction]) -> str | None:
    """Return the best set of `kernels.instruction_sets` that the processor has, None where it has none of them."""
    return next((name for name, needed in _PATHS if needed <= instructions), None)
