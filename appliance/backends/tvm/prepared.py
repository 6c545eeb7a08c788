"""A model that was made ready for a processor, opened: its weights mapped, its steps loaded. Worker side."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from appliance.backends.tvm import runtime
from appliance.backends.tvm.folders import LIBRARY_FILE, WEIGHTS_FILE, folder_in, is_made
from appliance.backends.tvm.making import make
from appliance.backends.tvm.record import read_record
from appliance.backends.tvm.source import NotServable, RopeTable
from appliance.backends.tvm.sources import open_source
from appliance.backends.tvm.weights_file import Array, map_weights
from appliance.errors import BackendError
from kernels.shape import DecoderShape


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A model that can run now. `name` says what its numbers depend on."""

    name: str
    shape: DecoderShape
    rope: RopeTable
    weights: list[Array]
    steps: runtime.Steps


def open_prepared(
    source: Path, compiled: Path, instruction_set: str, num_threads: int, progress: Callable[[float], None]
) -> PreparedModel:
    """Return a model, made ready now if nobody has done it before. Raises: BackendError."""
    folder = folder_in(compiled, instruction_set)
    if not is_made(folder):
        make(source, folder, instruction_set, progress)
    record = read_record(folder)
    try:
        opened = open_source(source, record.bits)
    except NotServable as problem:
        raise BackendError(str(problem)) from problem
    library = folder / LIBRARY_FILE
    runtime.set_up(num_threads, with_compiler=not library.exists())
    if library.exists():
        steps = runtime.open_library(library)
    else:
        from appliance.backends.tvm.compiling import compile_here

        steps = compile_here(opened.shape, instruction_set, num_threads, record.tiles)
    weights = map_weights(folder / WEIGHTS_FILE, opened.shape)
    return PreparedModel(f"{folder.name} {source.name} {record.bits}", opened.shape, opened.rope, weights, steps)
