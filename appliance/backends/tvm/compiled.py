"""What is compiled of a model, for which kernels, and what of it nobody uses any more. Daemon side, no library."""

import shutil
from collections.abc import Iterator, Set
from pathlib import Path
from typing import NamedTuple

from appliance.backends.tvm.folders import LIBRARY_FILE, folder_in
from appliance.backends.tvm.limits import INSTRUCTION_SETS, instruction_set_for
from appliance.backends.tvm.record import read_record
from appliance.core.hardware import Instruction
from appliance.core.kernels import CompiledModel

ABANDONED_AFTER_S = 3600.0
"""A folder that nobody has written in for so long belongs to a process that was killed."""

_UNFINISHED = ".making-"


class _Place(NamedTuple):
    instruction_set: str
    compiler: str
    kernels: str


def compiled_in(compiled: Path, models: tuple[str, ...], instructions: Set[Instruction]) -> Iterator[CompiledModel]:
    """Yield what lies in a model's folder, the current first."""
    current = _current(compiled, instructions)
    folders = [(folder, place) for folder in _folders(compiled) if (place := _place(folder)) is not None]
    for folder, place in sorted(folders, key=lambda found: (found[0] != current, found[0].name)):
        record = read_record(folder)
        yield CompiledModel(
            models=models,
            instruction_set=place.instruction_set,
            compiler=place.compiler,
            kernels=place.kernels,
            size_bytes=_size_bytes(folder),
            is_current=folder == current,
            has_step=(folder / LIBRARY_FILE).exists(),
            bits=record.bits,
            num_tuned=len(record.tiles),
            speed=record.speed,
        )


def clean(compiled: Path, instructions: Set[Instruction], now_s: float) -> tuple[int, int]:
    """Delete what only other versions or processors could use, and what was left half done; return number and bytes."""
    current = _current(compiled, instructions)
    unused = [folder for folder in _folders(compiled) if _place(folder) is not None and folder != current]
    unused += [folder for folder in _folders(compiled) if _is_abandoned(folder, now_s)]
    freed_bytes = sum(map(_size_bytes, unused))
    for folder in unused:
        shutil.rmtree(folder)
    return len(unused), freed_bytes


def kernels_in_use(instructions: Set[Instruction]) -> str | None:
    """Return the name of our kernels as they are, for this processor: what was measured with others counts no more."""
    current = _current(Path(), instructions)
    return None if current is None else current.name


def _current(compiled: Path, instructions: Set[Instruction]) -> Path | None:
    instruction_set = instruction_set_for(instructions)
    return None if instruction_set is None else folder_in(compiled, instruction_set)


def _folders(compiled: Path) -> list[Path]:
    return [path for path in compiled.iterdir() if path.is_dir()] if compiled.is_dir() else []


def _place(folder: Path) -> _Place | None:
    """Return what a folder was compiled for, None for one that is not of our kernels."""
    parts = folder.name.split("-")
    return _Place(*parts) if len(parts) == len(_Place._fields) and parts[0] in INSTRUCTION_SETS else None


def _is_abandoned(folder: Path, now_s: float) -> bool:
    if not folder.name.startswith(_UNFINISHED):
        return False
    return max(path.stat().st_mtime for path in (folder, *folder.iterdir())) < now_s - ABANDONED_AFTER_S


def _size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
