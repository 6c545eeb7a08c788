"""What making a model takes of memory and disk: a job without room is refused before it has done any work."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

from appliance.core.units import format_bytes
from appliance.errors import DoesNotFit

# Measured on 0.5 billion parameters: the exporter's peak was 3.0 GB, of which 1 GB is its libraries.
_LIBRARIES_BYTES = 10**9
_EXPORT_BYTES_PER_PARAMETER = 4.5
# Measured on 0.1 billion: 8.0 for weights alone (floats packed for the processor beside the file's pages and the copy);
# 17 where the library's own tools quantize, which hold all floats more than once.
_CHECK_BYTES_PER_PARAMETER = {"weights": 8.5, "dynamic": 17.0, "static": 17.0}
_SIZE_BYTES_PER_PARAMETER = {"fp32": 4.0, "int8": 1.2, "int4": 0.75}
_FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Room:
    """What a job needs at its peak."""

    memory_bytes: int
    disk_bytes: int


def room_to_convert(num_parameters: int, precision: str) -> Room:
    """Return the room for the export or for the comparison, whichever takes more.

    On the disk lie the float model, the quantized one where one is made, and the store's copy of the last.
    """
    export = _LIBRARIES_BYTES + _EXPORT_BYTES_PER_PARAMETER * num_parameters
    if precision == "fp32":
        return Room(int(export), int(2 * _FLOAT_BYTES * num_parameters))
    check = room_to_quantize(num_parameters, precision, "weights")
    return Room(max(int(export), check.memory_bytes), check.disk_bytes + _FLOAT_BYTES * num_parameters)


def room_to_quantize(num_parameters: int, precision: str, method: str, graph_bytes: int = 0) -> Room:
    """Return the room for the comparison, and on the disk for the new model and the store's copy of it.

    All methods but `weights` first write the float weights once more. `graph_bytes` is the size of the graph's own
    file, which is in memory as a whole while it is worked on; it is small unless it holds the weights itself.
    """
    floats = 0 if method == "weights" else _FLOAT_BYTES * num_parameters
    made = _SIZE_BYTES_PER_PARAMETER[precision] * num_parameters
    memory_bytes = int(_CHECK_BYTES_PER_PARAMETER[method] * num_parameters) + graph_bytes
    return Room(memory_bytes, int(floats + 2 * made))


def check_room(needed: Room, what: str, folder: Path) -> None:
    """Raise DoesNotFit unless the machine's memory and the disk of `folder` have room; it names both numbers.

    `what` is the work in words, such as `converting 0.5 billion parameters to int4`.
    """
    compare_room(needed, Room(psutil.virtual_memory().available, shutil.disk_usage(folder).free), what)


def compare_room(needed: Room, free: Room, what: str) -> None:
    """Raise DoesNotFit unless what is free is enough."""
    for kind, needed_bytes, free_bytes in (
        ("memory", needed.memory_bytes, free.memory_bytes),
        ("disk space", needed.disk_bytes, free.disk_bytes),
    ):
        if needed_bytes > free_bytes:
            raise DoesNotFit(
                f"{what} takes about {format_bytes(needed_bytes)} of {kind}, {format_bytes(free_bytes)} are free; "
                "free some, or try it all the same with --force"
            )


def parameters_in_words(num_parameters: int) -> str:
    """Return the number as it stands in a sentence."""
    return f"{num_parameters / 1e6:,.0f} million parameters"
