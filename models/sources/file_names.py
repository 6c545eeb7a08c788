"""Which names of files a source may give: they become paths on this machine, so nothing in them is trusted. Pure."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from models.formats.refusal import refused_name
from models.sources.base import RemoteFile, SourceError

MAX_FILES = 1000
MAX_NAME_BYTES = 500
MAX_STEP_BYTES = 200
"""A file system takes 255, and a download adds an ending of its own."""

_FLAX_ENDING = ".msgpack"
"""Weights that are no program, and that nothing here reads."""


def is_usable(name: str) -> bool:
    """Return whether a name stays inside the model's folder, hides nothing and can be shown as it is."""
    steps = name.split("/")
    return (
        0 < len(name.encode("utf-8", "surrogatepass")) <= MAX_NAME_BYTES
        and name.isprintable()
        and "\\" not in name
        and all(_is_step(step) for step in steps)
    )


def _is_step(step: str) -> bool:
    is_shown = step[:1] not in ("", ".") and step == step.strip()
    return is_shown and len(step.encode("utf-8", "replace")) <= MAX_STEP_BYTES


def checked(files: Iterable[RemoteFile]) -> tuple[RemoteFile, ...]:
    """Return the files if their names can be those of one folder. Raises: SourceError."""
    taken = tuple(files)
    if len(taken) > MAX_FILES:
        raise SourceError(f"the model has {len(taken)} files, and at most {MAX_FILES} are taken")
    unfit = next((file.name for file in taken if not is_usable(file.name)), None)
    if unfit is not None:
        raise SourceError(f"the source has a file named {unfit[:200]!r}, which is no name for a file here")
    seen: dict[str, str] = {}
    for file in taken:
        other = seen.setdefault(file.name.casefold(), file.name)
        if other is not file.name:
            raise SourceError(f"the files {other!r} and {file.name!r} cannot lie in one folder")
    inside = next((name for name in seen for above in PurePosixPath(name).parents if str(above) in seen), None)
    if inside is not None:
        raise SourceError(f"the source has a file at the place of a folder: {inside!r} lies in another file")
    return taken


def is_pickle(name: str) -> bool:
    """Return whether a name says that the file could run a program when it is read."""
    return refused_name(name) is not None or name.lower().endswith(_FLAX_ENDING)


def is_program(name: str) -> bool:
    """Return whether a file is one that somebody could run, or a pickle: a model of graphs needs neither."""
    return is_pickle(name) or name.lower().endswith((".py", ".so", ".dll", ".dylib", ".exe", ".sh"))
