"""From a decoder's shape to its steps. The only module of this backend that loads the compiler, some 260 MiB."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from appliance.backends.tvm.runtime import Steps
from appliance.core.kernels import MatrixTile
from kernels.build import compile_decoder
from kernels.decoder import decoder_module
from kernels.instruction_sets import INSTRUCTION_SETS
from kernels.operators.linear import Tile
from kernels.shape import DecoderShape


def write_library(shape: DecoderShape, instruction_set: str, path: Path, tiles: Sequence[MatrixTile] = ()) -> bool:
    """Compile the steps into a shared library; return whether that could be linked."""
    compiled = _compiled(shape, instruction_set, 1, tiles)
    try:
        compiled.export_library(str(path))
    except RuntimeError as problem:  # a compiler is there, but not all that it needs
        sys.stderr.write(f"linking failed: {problem}\n")
        path.unlink(missing_ok=True)
        return False
    return True


def compile_here(shape: DecoderShape, instruction_set: str, num_threads: int, tiles: Sequence[MatrixTile]) -> Steps:
    """Compile the steps into this process."""
    import tvm
    from tvm import relax

    steps: Steps = relax.VirtualMachine(_compiled(shape, instruction_set, num_threads, tiles), tvm.cpu())
    return steps


def _compiled(shape: DecoderShape, instruction_set: str, num_cores: int, tiles: Sequence[MatrixTile]) -> Any:
    chosen = INSTRUCTION_SETS[instruction_set]
    tuned = {tile.matrix: Tile(tile.num_tokens, tile.num_blocks) for tile in tiles}
    by_shape = {matrix: tuned[matrix] for matrix in shape.products() if matrix in tuned}
    return compile_decoder(decoder_module(shape, chosen, by_shape), chosen, num_cores)
