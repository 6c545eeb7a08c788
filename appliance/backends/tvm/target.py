"""An installed model that a job compiles: made ready with given tiles, all of it or nothing, and measured."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from appliance.backends.tvm.child import make
from appliance.backends.tvm.folders import LIBRARY_FILE, folder_in, is_made, settle
from appliance.backends.tvm.limits import FORMATS
from appliance.backends.tvm.linker import has_linker
from appliance.backends.tvm.record import Record, chosen_bits, read_record, tiles_for, write_record
from appliance.backends.tvm.source import NotServable
from appliance.backends.tvm.sources import open_source
from appliance.child import Reporter
from appliance.core.kernels import KernelSpeed, MatrixTile
from appliance.errors import BackendError, ModelNotFound
from kernels.quantization import Bits
from kernels.shape import DecoderShape
from models.files import sync_file
from models.manifest import ModelManifest
from models.store.store import ModelStore


class Target:
    """One model, and where it is or will be compiled. Raises: BackendError, for what the kernels cannot run."""

    def __init__(
        self, store: ModelStore, manifest: ModelManifest, instruction_set: str, bits: Bits | None = None
    ) -> None:
        """`bits` are those of weights that must be quantized; None: as they were chosen before."""
        self.name = manifest.name
        self.size_bytes = manifest.size_bytes
        self.instruction_set = instruction_set
        self._source = store.opened_path(manifest)
        self._compiled = store.compiled_path(manifest)
        self.folder = folder_in(self._compiled, instruction_set)
        self.bits: Bits = bits or chosen_bits(self._compiled)
        with _refusals(self.name):
            opened = open_source(self._source, self.bits)
        self.shape: DecoderShape = opened.shape
        self.is_exact = opened.is_exact

    def ensure(self, tiles: Sequence[MatrixTile], report: Reporter) -> bool:
        """Compile what is not there, or has other tiles or bits, and return whether anything was to do."""
        wanted, record = tiles_for(self.shape.products(), tiles), read_record(self.folder)
        has_weights = is_made(self.folder) and (self.is_exact or record.bits == self.bits)
        has_step = (self.folder / LIBRARY_FILE).exists() or not has_linker()
        if has_weights and has_step and record.tiles == wanted:
            return False
        report.progress(f"compiling for {self.instruction_set}")
        with _refusals(self.name):
            if has_weights:
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
        write_record(self.folder, replace(read_record(self.folder), speed=speed))
        return speed

    def _make(self, tiles: Sequence[MatrixTile], report: Reporter) -> None:
        """Make everything in the job's own folder and move it as a whole."""
        unfinished = report.folder / "made"
        unfinished.mkdir()
        text = "repacking its weights" if self.is_exact else f"quantizing weights anew, to {self.bits} bits"

        def progress(ratio: float) -> None:
            report.progress(text, ratio, 1.0)

        make(self._source, unfinished, self.instruction_set, tiles, self.bits, progress)
        if is_made(self.folder):
            self.folder.rename(report.folder / "replaced")  # processes that have it mapped keep what they have
        settle(unfinished, self.folder)

    def _replace_step(self, tiles: Sequence[MatrixTile], scratch: Path) -> None:
        """Give the weights another step. Processes that run the model keep the one that they have opened."""
        from appliance.backends.tvm.compiling import write_library

        if has_linker() and write_library(self.shape, self.instruction_set, scratch / LIBRARY_FILE, tiles):
            sync_file(scratch / LIBRARY_FILE)
            (scratch / LIBRARY_FILE).replace(self.folder / LIBRARY_FILE)
        write_record(self.folder, Record(tiles=tuple(tiles), bits=self.bits))


def target_of(model: str, home: Path, instruction_set: str, bits: Bits | None = None) -> Target:
    """Return an installed model. Raises: ModelNotFound, BackendError."""
    store = ModelStore(home)
    manifest = store.get(model)
    if manifest is None:
        raise ModelNotFound(f"model {model!r} not found", param="model")
    if manifest.format not in FORMATS:
        raise BackendError(f"our kernels read {' and '.join(sorted(FORMATS))}, and {model!r} is {manifest.format}")
    return Target(store, manifest, instruction_set, bits)


def compiled_targets(home: Path, instruction_set: str) -> list[Target]:
    """Return all models that are made ready, those of the same files once."""
    store = ModelStore(home)
    by_digest = {manifest.digest: manifest for manifest in store.list() if manifest.format in FORMATS}
    made = [each for each in by_digest.values() if is_made(folder_in(store.compiled_path(each), instruction_set))]
    return [Target(store, manifest, instruction_set) for manifest in made]


@contextmanager
def _refusals(model: str) -> Iterator[None]:
    try:
        yield
    except (NotServable, OSError) as problem:
        raise BackendError(f"our kernels cannot run {model!r}: {problem}") from problem
