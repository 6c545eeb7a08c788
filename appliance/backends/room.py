"""What making a model takes of memory and disk: a job without room is refused before it has done any work."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

from appliance.core.units import format_bytes
from appliance.errors import DoesNotFit


@dataclass(frozen=True, slots=True)
class Room:
    """What a job needs at its peak."""

    memory_bytes: int
    disk_bytes: int


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
