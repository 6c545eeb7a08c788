"""The child process that makes a model ready: repacks its weights, compiles its step. A compiler's crash ends here.

Started by `making`; prints how far it is, a ratio on each line, and says what it refuses in the last line of standard
error.
"""

import argparse
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from appliance.backends.tvm.folders import LIBRARY_FILE, WEIGHTS_FILE
from appliance.backends.tvm.linker import has_linker
from appliance.backends.tvm.record import Record, tiles_for, write_record
from appliance.backends.tvm.source import NotServable
from appliance.backends.tvm.sources import open_source
from appliance.backends.tvm.weights_file import file_bytes, write_weights
from appliance.core.kernels import MatrixTile
from kernels.quantization import Bits

REFUSED = 3
_SPARE_BYTES = 64 * 2**20


def make(
    source: Path,
    folder: Path,
    instruction_set: str,
    tiles: Sequence[MatrixTile],
    bits: Bits,
    progress: Callable[[float], None],
) -> None:
    """Fill the folder; `tiles` may be those of other models, too. Raises: NotServable, OSError."""
    from appliance.backends.tvm.compiling import write_library
    from kernels.instruction_sets import INSTRUCTION_SETS

    opened = open_source(source, bits)
    needed_bytes = file_bytes(opened.shape) + _SPARE_BYTES
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        raise NotServable(f"its repacked weights take {needed_bytes >> 20} MiB, and {free_bytes >> 20} MiB are free")
    tiles = tiles_for(opened.shape.products(), tiles)
    if has_linker():
        write_library(opened.shape, instruction_set, folder / LIBRARY_FILE, tiles)
    write_record(folder, Record(tiles=tiles, bits=bits))
    write_weights(opened, folder / WEIGHTS_FILE, INSTRUCTION_SETS[instruction_set].int8_offset, progress)


def _say_percents() -> Callable[[float], None]:
    last = -1

    def say(ratio: float) -> None:
        nonlocal last
        if (percent := int(ratio * 100)) != last:
            last = percent
            sys.stdout.write(f"{ratio:.2f}\n")
            sys.stdout.flush()

    return say


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("instruction_set")
    parser.add_argument("tiles")
    parser.add_argument("bits", type=int, choices=(4, 8))
    arguments = parser.parse_args()
    tiles = msgspec.json.decode(arguments.tiles, type=tuple[MatrixTile, ...])
    try:
        make(arguments.source, arguments.folder, arguments.instruction_set, tiles, arguments.bits, _say_percents())
    except (NotServable, OSError) as problem:
        sys.stderr.write(" ".join(str(problem).split()) + "\n")
        sys.exit(REFUSED)


if __name__ == "__main__":
    main()
