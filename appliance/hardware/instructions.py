"""From the kernel's names of features to the instruction sets that decide how fast a model runs.

The kernel lists only what it lets programs use, so nothing has to be asked of the processor itself.
Source: arch/x86/include/asm/cpufeatures.h and Documentation/arch/arm64/elf_hwcaps.rst of the Linux kernel.
"""

from collections.abc import Set

from appliance.core.hardware import Instruction

_X86 = {
    Instruction.SSE4_2: {"sse4_2"},
    Instruction.AVX: {"avx"},
    Instruction.F16C: {"f16c"},
    Instruction.FMA: {"fma"},
    Instruction.AVX2: {"avx2"},
    Instruction.AVX_VNNI: {"avx_vnni"},
    Instruction.AVX_VNNI_INT8: {"avx_vnni_int8"},
    Instruction.AVX512: {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
    Instruction.AVX512_VBMI: {"avx512vbmi"},
    Instruction.AVX512_VNNI: {"avx512_vnni"},
    Instruction.AVX512_BF16: {"avx512_bf16"},
    Instruction.AVX512_FP16: {"avx512_fp16"},
    Instruction.AMX_TILE: {"amx_tile"},
    Instruction.AMX_INT8: {"amx_int8"},
    Instruction.AMX_BF16: {"amx_bf16"},
    Instruction.AMX_FP16: {"amx_fp16"},
}
_ARM = {
    Instruction.NEON: {"asimd"},
    Instruction.FP16: {"asimdhp"},
    Instruction.DOTPROD: {"asimddp"},
    Instruction.I8MM: {"i8mm"},
    Instruction.BF16: {"bf16"},
    Instruction.SVE: {"sve"},
    Instruction.SVE2: {"sve2"},
    Instruction.SME: {"sme"},
}
_ARM_32_BIT = {Instruction.NEON: {"neon"}, Instruction.BF16: {"asimdbf16"}}


def instructions_of(features: Set[str]) -> frozenset[Instruction]:
    """Return the instruction sets that the kernel's features make up."""
    tables = (_X86, _ARM, _ARM_32_BIT)
    return frozenset(name for table in tables for name, needed in table.items() if needed <= features)
