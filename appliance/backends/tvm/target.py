"""An installed model that a job compiles: made ready with given tiles, all of it or nothing, and measured."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from appliance.backends.tvm.child import has_linker, make
from appliance.backends.tvm.folders import LIBRARY_FILE, folder_in, is_made, settle, sync_file
from appliance.backends.tvm.gguf_source import GgufSource, NotServable
from appliance.backends.tvm.record import Record, read_record, tiles_for, write_record
from appliance.child import Reporter
from appliance.core.kernels import KernelSpeed, MatrixTile
from appliance.errors import BackendError, ModelNotFound
from kernels.shape import DecoderShape
from models.manifest import ModelManifest
from models.store import ModelStore


class Target:
    """One model, and where it is or will be compiled. Raises: BackendError, for what the kernels cannot run."""

    def __init__(self, store: ModelStore, manifest: ModelManifest, instruction_set: str) -> None:
        self.name = manifest.name
        self.size_bytes = manifest.size_bytes
        self.instruction_set = instruction_set
        self._source = store.opened_path(manifest)
        self._compiled = store.compiled_path(manifest)
        self.folder = folder_in(self._compiled, instruction_set)
        with _refusals(self.name):
            opened = GgufSource(self._source)
        self.shape: DecoderShape = opened.shape
        self.is_exact = opened.is_exact

    def ensure(self, tiles: Sequence[MatrixTile], report: Reporter) -> bool:
        """Compile what is not there, or has other tiles, and return whether anything was to do."""
        wanted = tiles_for(self.shape.products(), tiles)
        if is_made(self.folder) and read_record(self.folder).tiles == wanted:
            return False
        report.progress(f"compiling for {self.instruction_set}")
        with _refusals(self.name):
            if is_made(self.folder):
                self._replace_step(wanted, report.folder)
            else:
                self._make(wanted, report)
        return True

    def speed(self, num_threads: int) -> KernelSpeed:
        """Return how fast the compiled model was, measured now if it never was."""
        return read_record(self.folder).speed or self.measure(num_threads)

    def measure(self, num_threads: int) -> KernelSpeed:
        """Return how fast the compiled model is now, and remember it."""
        from appliance.backends.tvm.speed import measure

        speed = measure(self._source, self._compiled, self.instruction_set, num_threads)
        write_record(self.folder, Record(tiles=read_record(self.folder).tiles, speed=speed))
        return speed

    def _make(self, tiles: Sequence[MatrixTile], report: Reporter) -> None:
        """Make everything in the job's own folder and move it as a whole."""
        unfinished = report.folder / "made"
        unfinished.mkdir()
        text = "repacking its weights" if self.is_exact else "quantizing weights anew, to 8 bits"
        make(self._source, unfinished, self.instruction_set, tiles, lambda ratio: report.progress(text, ratio, 1.0))
        settle(unfinished, self.folder)

    def _replace_step(self, tiles: Sequence[MatrixTile], scratch: Path) -> None:
        """Give the weights another step. Processes that run the model keep the one that they have opened."""
        from appliance.backends.tvm.compiling import write_library

        if has_linker():
            write_library(self.shape, self.instruction_set, scratch / LIBRARY_FILE, tiles)
            sync_file(scratch / LIBRARY_FILE)
            (scratch / LIBRARY_FILE).replace(self.folder / LIBRARY_FILE)
        write_record(self.folder, Record(tiles=tuple(tiles)))


def target_of(model: str, home: Path, instruction_set: str) -> Target:
    """Return an installed model. Raises: ModelNotFound, BackendError."""
    store = ModelStore(home)
    manifest = store.get(model)
    if manifest is None:
        raise ModelNotFound(f"model {model!r} not found", param="model")
    if manifest.format != "gguf":
        raise BackendError(f"our kernels are compiled for GGUF files, and {model!r} is {manifest.format}")
    return Target(store, manifest, instruction_set)


def compiled_targets(home: Path, instruction_set: str) -> list[Target]:
    """Return all models that are made ready, those of the same files once."""
    store = ModelStore(home)
    by_digest = {manifest.digest: manifest for manifest in store.list() if manifest.format == "gguf"}
    made = [each for each in by_digest.values() if is_made(folder_in(store.compiled_path(each), instruction_set))]
    return [Target(store, manifest, instruction_set) for manifest in made]


@contextmanager
def _refusals(model: str) -> Iterator[None]:
    try:
        yield
    except (NotServable, OSError) as problem:
        raise BackendError(f"our kernels cannot run {model!r}: {problem}") from problem
