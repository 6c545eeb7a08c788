"""Our own kernels as the admin API speaks of them: what is compiled, how fast it was, how its products are tiled."""

from typing import Literal

import msgspec


class MatrixTile(msgspec.Struct, frozen=True, kw_only=True):
    """The tile that was measured to be the fastest for one shape of a matrix on one machine."""

    num_outputs: int
    num_inputs: int
    bits: int
    num_tokens: int
    num_blocks: int

    @property
    def matrix(self) -> tuple[int, int, int]:
        """The shape that it is for."""
        return self.num_outputs, self.num_inputs, self.bits


class KernelSpeed(msgspec.Struct, frozen=True, kw_only=True):
    """How many tokens a second a compiled model read (256 at once), and generated for 1 and for 8 sequences."""

    prefill_tokens_per_s: float
    decode_tokens_per_s: float
    decode_8_tokens_per_s: float


class CompiledModel(msgspec.Struct, frozen=True, kw_only=True):
    """What was compiled of one model's files for one instruction set. `models` are all names of those files.

    `is_current` False: this version of the appliance, or this processor, has no use for it. `has_step` False: there was
    no linker, so each worker compiles for itself. `bits` are those of weights that were quantized anew. `num_tuned`
    matrices have a tile that was found by measuring; `speed` None: it was not measured.
    """

    models: tuple[str, ...]
    instruction_set: str
    compiler: str
    kernels: str
    size_bytes: int
    is_current: bool
    has_step: bool = True
    bits: Literal[4, 8] = 8
    num_tuned: int = 0
    speed: KernelSpeed | None = None


class CompiledModels(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `GET /admin/v1/kernels`."""

    compiled: tuple[CompiledModel, ...]


class CompileModel(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /admin/v1/models/compile`.

    `bits` are those of weights that are neither Q4_0 nor Q8_0; None: as they were chosen before, else 8.
    """

    model: str
    bits: Literal[4, 8] | None = None


class TuneKernels(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /admin/v1/kernels/tune`. `model` None: all that are compiled."""

    model: str | None = None


class CleanedKernels(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `DELETE /admin/v1/kernels`: what nobody uses any more is gone."""

    num_removed: int
    freed_bytes: int


class TunedTiles(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a job `tune`: the shapes that were measured, and the tiles of those that gain by another."""

    instruction_set: str
    measured: tuple[tuple[int, int, int], ...]
    tiles: tuple[MatrixTile, ...]
    note: str = ""
