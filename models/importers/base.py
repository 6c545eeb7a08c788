"""What every finder says of another program's models, and how a folder of strangers is looked through."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from models.manifest import ModelFormat, ModelPreset, ModelProvenance
from models.names import InvalidModelName, ModelName, name_from_stem

MAX_ENTRIES = 100_000
MAX_DEPTH = 6
MAX_JSON_BYTES = 4 * 2**20

Program = Literal["ollama", "lm_studio", "hugging_face", "llama_cpp"]


class ForeignModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model of another program. `path` is what is adopted, `title` what the program calls it, `name` what we would.

    `projector` is the file through which it reads pictures or sound.
    `problem` says why it cannot be adopted, where that shows without reading it.
    """

    program: Program
    title: str
    name: str
    path: str
    format: ModelFormat
    size_bytes: int
    preset: ModelPreset | None = None
    provenance: ModelProvenance | None = None
    problem: str | None = None
    projector: str | None = None


class Search(msgspec.Struct, kw_only=True):
    """What was found below some folders; `notes` are sentences about what could not be read."""

    models: list[ForeignModel] = []
    notes: list[str] = []


def files_below(root: Path, search: Search) -> Iterator[Path]:
    """Yield the files below a folder, in order; links to files count, links to folders are not followed."""
    num_left = MAX_ENTRIES
    waiting = [(root, 0)]
    while waiting:
        folder, depth = waiting.pop()
        entries = _entries(folder, search)
        num_left -= len(entries)
        if num_left < 0:
            search.notes.append(f"{root} has more than {MAX_ENTRIES} entries; the rest was not looked at")
            return
        yield from (Path(entry.path) for entry in entries if _is_file(entry))
        if depth < MAX_DEPTH:
            waiting += [(Path(e.path), depth + 1) for e in reversed(entries) if e.is_dir(follow_symlinks=False)]


def folders_in(folder: Path, search: Search) -> list[Path]:
    """Return the folders directly in a folder, in order."""
    return [Path(entry.path) for entry in _entries(folder, search) if entry.is_dir(follow_symlinks=False)]


def name_of(stem: str, publisher: str | None = None) -> str:
    """Return what we would call a model, `model` where nothing can be made of its own name."""
    try:
        name = str(name_from_stem(stem))
        return str(ModelName.parse(f"{name_from_stem(publisher)}/{name}")) if publisher else name
    except InvalidModelName:
        return "model"


def is_gguf(path: Path) -> bool:
    """Return whether a file begins as one of that format does."""
    try:
        with path.open("rb") as stream:
            return stream.read(4) == b"GGUF"
    except OSError:
        return False


def size_of(paths: Iterable[Path]) -> int:
    """Return the bytes of the files that are there."""
    total_bytes = 0
    for path in paths:
        try:
            total_bytes += path.stat().st_size
        except OSError:
            continue
    return total_bytes


def read_limited(path: Path) -> bytes | None:
    """Return what a short file says, None where it is long, gone or closed to us."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_JSON_BYTES + 1)
    except OSError:
        return None
    return content if len(content) <= MAX_JSON_BYTES else None


def _entries(folder: Path, search: Search) -> list[os.DirEntry[str]]:
    try:
        return sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        search.notes.append(f"{folder} cannot be read: {error.strerror or error}")
        return []


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False
