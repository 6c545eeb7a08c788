"""Which instructions the compiled library uses, could use, and what they are worth. Never imports the library.

The library tells about itself in a child process: one that was compiled for another processor may end with an illegal
instruction, which must not be the daemon's end.
"""

import re

from appliance.backends.children import ask_child
from appliance.backends.description import EngineInstructions
from appliance.core.hardware import Instruction

# The library's word for what it was compiled with, and ours. Those without a name of ours decide nothing here.
# Source: ggml_backend_cpu_get_features in ggml/src/ggml-cpu/ggml-cpu.cpp of llama.cpp.
_NAMES = {
    "AVX": Instruction.AVX,
    "AVX_VNNI": Instruction.AVX_VNNI,
    "AVX2": Instruction.AVX2,
    "F16C": Instruction.F16C,
    "FMA": Instruction.FMA,
    "AVX512": Instruction.AVX512,
    "AVX512_VBMI": Instruction.AVX512_VBMI,
    "AVX512_VNNI": Instruction.AVX512_VNNI,
    "AVX512_BF16": Instruction.AVX512_BF16,
    "AMX_INT8": Instruction.AMX_INT8,
    "NEON": Instruction.NEON,
    "FP16_VA": Instruction.FP16,
    "DOTPROD": Instruction.DOTPROD,
    "MATMUL_INT8": Instruction.I8MM,
    "SVE": Instruction.SVE,
    "SME": Instruction.SME,
}

# Only what upstream measured and published; where it says nothing, neither do we.
_WORTH = {
    Instruction.AVX_VNNI: "upstream measured 32 % more prompt tokens a second with it (llama.cpp pull request 25346)",
    Instruction.I8MM: "upstream measured up to 3.7 times the prompt tokens a second with kernels that need it "
    "(Q8_0 on an M4, llama.cpp pull request 18096)",
    Instruction.DOTPROD: "upstream measured 1.9 times the prompt tokens a second with kernels that need it "
    "(Q4_K on an M4, llama.cpp pull request 17494)",
}

_PROGRAM = "import llama_cpp; print(llama_cpp.llama_print_system_info().decode())"
_PAIR = re.compile(r"(\w+) = (\d+)")


def read_instructions(timeout_s: float) -> EngineInstructions:
    """Ask the installed library. Raises: BackendError, when it does not start or does not answer in time."""
    told = ask_child("llama.cpp", ("-c", _PROGRAM), timeout_s)
    return EngineInstructions(
        used=parse_system_info(told.decode(errors="replace")), usable=frozenset(_NAMES.values()), worth=_WORTH
    )


def parse_system_info(text: str) -> frozenset[Instruction]:
    """Return the instructions in a line such as `CPU : SSE3 = 1 | AVX2 = 1 | OPENMP = 1 |`."""
    return frozenset(_NAMES[name] for name, value in _PAIR.findall(text) if value != "0" and name in _NAMES)
