"""Kernels compiled for the instruction sets that this processor, or an emulated one, has; called with NumPy arrays."""

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pytest
import tvm
from tvm.tirx import PrimFunc

from kernels.build import compile_operators
from kernels.instruction_sets import AVX2, AVX512_VNNI, AVX_VNNI, DOTPROD, I8MM, NEON, InstructionSet
from tests.emulation.emulated_kernels import EMULATED, emulated

_FEATURES = {
    AVX512_VNNI.name: {"avx512vnni"},
    AVX_VNNI.name: {"avxvnni"},
    AVX2.name: {"avx2", "f16c", "fma"},
    I8MM.name: {"i8mm"},
    DOTPROD.name: {"dotprod"},
    NEON.name: {"neon"},
}


@lru_cache(maxsize=1)
def native() -> tuple[InstructionSet, ...]:
    """The sets that can be run here."""
    processor = tvm.target.Target({"kind": "llvm", "mcpu": tvm.target.codegen.llvm_get_system_cpu()})
    has = tvm.target.codegen.llvm_get_cpu_features(processor)
    return tuple(each for each in (AVX512_VNNI, AVX_VNNI, AVX2, I8MM, DOTPROD, NEON) if _FEATURES[each.name] <= has)


_EMULATED = [each for each in EMULATED if each not in native()]
_MARKS = (pytest.mark.slow, pytest.mark.timeout(1200))

on_each_instruction_set = pytest.mark.parametrize(
    "instruction_set",
    [
        *(pytest.param(each, id=each.name) for each in native()),
        *(pytest.param(each, id=f"{each.name}-emulated", marks=_MARKS) for each in _EMULATED),
    ],
)


@cache
def compiled(operator: PrimFunc, instruction_set: InstructionSet) -> Callable[..., Any]:
    """Return a function of NumPy arrays; those that it writes are written back."""
    if instruction_set in _EMULATED:
        return emulated(operator, instruction_set)
    function = compile_operators({"kernel": operator}, instruction_set, 2)["kernel"]

    def call(*arrays: np.ndarray[Any, Any]) -> None:
        tensors = [tvm.runtime.tensor(np.ascontiguousarray(array)) for array in arrays]
        function(*tensors)
        for array, tensor in zip(arrays, tensors, strict=True):
            array[...] = tensor.numpy()

    return call
