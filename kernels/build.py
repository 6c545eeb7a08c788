"""From operators to machine code: for the processor at hand, in this process."""

from collections.abc import Mapping
from typing import Any

import tvm
from tvm import relax
from tvm.tirx import PrimFunc

from .instruction_sets import InstructionSet


def compile_operators(operators: Mapping[str, PrimFunc], instruction_set: InstructionSet, num_cores: int) -> Any:
    """Return a module with a callable for each name."""
    named = {name: operator.with_attr("global_symbol", name) for name, operator in operators.items()}
    return tvm.compile(tvm.IRModule(named), target=instruction_set.target(num_cores)).jit()


def compile_decoder(module: tvm.IRModule, instruction_set: InstructionSet, num_cores: int) -> Any:
    """Return the executable of `decoder_module`, for `relax.VirtualMachine` or for a file."""
    return tvm.compile(module, target=instruction_set.target(num_cores), relax_pipeline=_pipeline())


def _pipeline() -> Any:
    """Return the passes that calls of finished kernels need: memory is planned, calls become instructions."""
    steps = relax.transform

    @tvm.transform.module_pass(opt_level=0)
    def passes(module: tvm.IRModule, _: Any) -> tvm.IRModule:
        return tvm.transform.Sequential(
            [
                steps.ToNonDataflow(),
                steps.RemovePurityChecking(),
                steps.CallTIRRewrite(),
                steps.StaticPlanBlockMemory(),
                steps.LowerAllocTensor(),
                steps.KillAfterLastUse(),
                steps.LowerRuntimeBuiltin(),
                steps.ComputePrimValue(),
                steps.VMShapeLower(),
                steps.AttachGlobalSymbol(),
            ]
        )(module)

    return passes
