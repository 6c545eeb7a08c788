"""Our own kernels as the daemon sees them: what is compiled, and the orders to compile and to tune. No library."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from appliance.backends.tvm import adoption, compiled
from appliance.backends.tvm.description import TvmDescription
from appliance.backends.tvm.job_arguments import CompileArguments, TuneArguments
from appliance.backends.tvm.limits import FORMATS, instruction_set_for
from appliance.core.fingerprint import fingerprint
from appliance.core.hardware import HardwareSnapshot
from appliance.core.kernels import CompiledModel, MatrixTile
from appliance.core.plan import Artefact
from appliance.errors import Conflict, InvalidRequest

Tiles = tuple[MatrixTile, ...]


def kernels_in_use(snapshot: HardwareSnapshot) -> str | None:
    """Return the name of our kernels as they are now, for this processor; None where they cannot run."""
    return compiled.kernels_in_use(snapshot.processor.instructions)


def with_kernels(versions: Mapping[str, str | None], snapshot: HardwareSnapshot, tiles: Tiles) -> dict[str, str | None]:
    """Return what decides how fast each backend is: the version of its library, and what our own kernels are."""
    tiling = fingerprint("tiling", 1, {str(tile.matrix): f"{tile.num_tokens}x{tile.num_blocks}" for tile in tiles})
    return {**versions, "tvm": f"{kernels_in_use(snapshot)} {tiling}"}


def compiled_of(artefact: Artefact, models: tuple[str, ...], snapshot: HardwareSnapshot) -> tuple[CompiledModel, ...]:
    """Return what is compiled of these files, whose names are `models`; what is in use first."""
    return tuple(compiled.compiled_in(Path(artefact.compiled_path), models, snapshot.processor.instructions))


def is_compiled(artefact: Artefact, snapshot: HardwareSnapshot) -> bool:
    """Return whether a model is ready to run on our kernels as they are now."""
    return artefact.format in FORMATS and adoption.is_adopted(artefact, snapshot.processor.instructions)


def clean(artefact: Artefact, snapshot: HardwareSnapshot, now_s: float) -> tuple[int, int]:
    """Delete what nobody uses any more of what is compiled; return how many folders, and their bytes."""
    return compiled.clean(Path(artefact.compiled_path), snapshot.processor.instructions, now_s)


def compile_order(
    model: str, artefact: Artefact, snapshot: HardwareSnapshot, tiles: Tiles, bits: Literal[4, 8] | None = None
) -> CompileArguments:
    """Return what a job `compile` is told. Raises: InvalidRequest; Conflict, where they cannot run."""
    _check_format(model, artefact)
    return CompileArguments(
        model=model,
        instruction_set=_instruction_set(snapshot),
        tiles=tiles,
        num_threads=snapshot.processor.usable_cores,
        bits=bits,
    )


def tune_order(model: str | None, artefact: Artefact | None, snapshot: HardwareSnapshot, tiles: Tiles) -> TuneArguments:
    """Return what a job `tune` is told; no model means all that are compiled. Raises: as `compile_order`."""
    if model is not None and artefact is not None:
        _check_format(model, artefact)
    return TuneArguments(
        model=model,
        instruction_set=_instruction_set(snapshot),
        tiles=tiles,
        num_threads=snapshot.processor.usable_cores,
    )


def _check_format(model: str, artefact: Artefact) -> None:
    if artefact.format not in FORMATS:
        raise InvalidRequest(
            f"our kernels read {' and '.join(sorted(FORMATS))}, and {model!r} is {artefact.format}", param="model"
        )


def _instruction_set(snapshot: HardwareSnapshot) -> str:
    descriptor = TvmDescription().descriptor(snapshot)
    name = instruction_set_for(snapshot.processor.instructions)
    if descriptor.state != "ready" or name is None:
        mend = f"; {descriptor.mend}" if descriptor.mend else ""
        raise Conflict(descriptor.message + mend)
    return name
