"""The projector of a model: the one that is named, one that came with it, or one that lies beside it."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from models.errors import StoreError, file_errors
from models.finding.finding import find_model
from models.finding.found import Found, FoundFile
from models.formats.gguf import GGUFError
from models.formats.projector import Projector, read_projector
from models.formats.refusal import RefusedFormat, check_content
from models.manifest import ModelFormat
from models.sources.projector_choice import is_projector_name, projector_of
from models.workshop import Workshop

NONE = "none"
"""What is named where a model is to be taken in without one."""
_MAX_BESIDE = 10_000


def find_with_projector(path: Path, workshops: Mapping[ModelFormat, Workshop], wished: str | None) -> Found:
    """Return the files of the model at a path, with its projector: the one that is `wished`, else one beside it.

    Raises: StoreError.
    """
    found = find_model(path, workshops)
    if wished == NONE or (wished is None and not _may_have(found)):
        return found
    if wished is not None:
        return _with(found, Path(wished))
    beside = _beside(path)
    return found if beside is None or _read(beside) is None else _with(found, beside)


def find_fetched(folder: Path, names: Iterable[str], workshops: Mapping[ModelFormat, Workshop]) -> Found:
    """Return the files of a model that was fetched, the first of which is opened. Raises: StoreError."""
    first, *others = names
    found = find_model(folder / first, workshops)
    projector = next((name for name in others if is_projector_name(name)), None)
    return found if projector is None or not _may_have(found) else _with(found, folder / projector)


def _may_have(found: Found) -> bool:
    return found.format == "gguf" and found.details.task == "generate"


def _beside(path: Path) -> Path | None:
    """Return the projector that lies in the folder of a file, by the names of all that lies there."""
    with file_errors(path), os.scandir(path.parent) as entries:
        names = [entry.name for entry, _ in zip(entries, range(_MAX_BESIDE), strict=False)]
    name = projector_of(path.name, sorted(names))
    return None if name is None else path.parent / name


def _with(found: Found, path: Path) -> Found:
    if not _may_have(found):
        raise StoreError(f"{found.files[0].path} is no GGUF model that writes: it has no use for a projector")
    projector = _read(path)
    if projector is None:
        raise StoreError(f"{path} is no projector: it reads neither pictures nor sound")
    # Beside a model in parts, whose folder knows each file by its name, it needs one, too
    name = path.name if found.files[0].name is not None else None
    details = msgspec.structs.replace(found.details, media=projector.media, projector_bytes=projector.weights_bytes)
    return replace(found, files=(*found.files, FoundFile(path.resolve(), name, is_projector=True)), details=details)


def _read(path: Path) -> Projector | None:
    with file_errors(path):
        try:
            check_content(path)
            return read_projector(path)
        except RefusedFormat as refusal:
            raise StoreError(str(refusal)) from None
        except GGUFError as error:
            raise StoreError(f"{path} is no usable GGUF file: {error}") from error
