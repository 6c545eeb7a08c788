"""What the jobs `compile` and `tune` are told and answer. Importing this costs the daemon nothing."""

from typing import Literal

import msgspec

from appliance.backends.tvm.limits import INSTRUCTION_SETS
from appliance.core.kernels import KernelSpeed, MatrixTile


class CompileArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An installed model, the processor to compile it for, and the tiles that were measured there.

    `bits` are those of weights that must be quantized anew; None: as they were chosen before, else 8.
    """

    model: str
    instruction_set: str
    tiles: tuple[MatrixTile, ...] = ()
    num_threads: int = 1
    bits: Literal[4, 8] | None = None

    def __post_init__(self) -> None:
        _check(self.instruction_set)


class TuneArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model whose matrices are measured, None for all that are compiled, and the tiles that are known already."""

    model: str | None = None
    instruction_set: str
    tiles: tuple[MatrixTile, ...] = ()
    num_threads: int = 1

    def __post_init__(self) -> None:
        _check(self.instruction_set)


class Compiled(msgspec.Struct, frozen=True, kw_only=True):
    """What a job `compile` answers; `note` says to the operator what it cost."""

    model: str
    size_bytes: int
    speed: KernelSpeed | None
    note: str


def _check(instruction_set: str) -> None:
    """Raise ValueError for a processor that there are no kernels for: the name becomes part of a folder's."""
    if instruction_set not in INSTRUCTION_SETS:
        raise ValueError(f"there are kernels for {', '.join(INSTRUCTION_SETS)}, not for {instruction_set!r}")
