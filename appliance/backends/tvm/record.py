"""What is known of a compiled model beside its files: its tiles, and how fast it was measured. Imports no library."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from appliance.core.kernels import KernelSpeed, MatrixTile
from models.files import replace_atomically

RECORD_FILE = "made.json"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """`tiles` are those that its step was compiled with instead of the usual ones.

    `bits` are those of the layers' matrices that were not taken code by code.
    """

    tiles: tuple[MatrixTile, ...] = ()
    speed: KernelSpeed | None = None
    bits: Literal[4, 8] = 8


def tiles_for(matrices: Iterable[tuple[int, int, int]], tiles: Iterable[MatrixTile]) -> tuple[MatrixTile, ...]:
    """Return the tiles of those matrices, in an order of their own, so that two of them can be compared."""
    known = {tile.matrix: tile for tile in tiles}
    return tuple(known[matrix] for matrix in sorted(set(matrices)) if matrix in known)


def read_record(folder: Path) -> Record:
    """Return what the folder's record says; what cannot be read says nothing."""
    try:
        return msgspec.json.decode((folder / RECORD_FILE).read_bytes(), type=Record)
    except (OSError, msgspec.DecodeError):
        return Record()


def chosen_bits(compiled: Path) -> Literal[4, 8]:
    """Return the bits that a model was made ready with last, also for other kernels; 8 where it never was."""
    records = [path for path in compiled.glob(f"*/{RECORD_FILE}") if not path.parent.name.startswith(".")]
    last = max(records, key=lambda path: path.stat().st_mtime_ns, default=None)
    return 8 if last is None else read_record(last.parent).bits


def write_record(folder: Path, record: Record) -> None:
    """Replace the folder's record. Raises: OSError."""
    with replace_atomically(folder / RECORD_FILE) as stream:
        stream.write(msgspec.json.encode(record))
