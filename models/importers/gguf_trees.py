"""Folders of GGUF files: LM Studio's (publisher, repository, file) and llama.cpp's cache (files with notes).

Sources: LM Studio, documentation, "Import models"; llama.cpp, `common/download.cpp` (the notes with a file's address).
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec

from models.formats.shard_names import shard_of
from models.importers.base import ForeignModel, Program, Search, files_below, is_gguf, name_of, read_limited, size_of
from models.manifest import ModelProvenance
from models.sources.base import SourceError
from models.sources.gguf_choice import NO_WEIGHTS
from models.sources.reference import HttpReference, HubReference, parse_reference

_MAX_PARTS = 1000


class _Note(msgspec.Struct):
    url: str


def find_lm_studio(root: Path, search: Search) -> None:
    """Add what the folder `models` of LM Studio holds."""
    for first, parts, stem in gguf_models(files_below(root, search)):
        search.models.append(foreign_gguf("lm_studio", str(first.relative_to(root)), stem, parts))


def find_llama_cpp(root: Path, search: Search) -> None:
    """Add what the cache of llama.cpp holds."""
    for first, parts, stem in gguf_models(files_below(root, search)):
        search.models.append(foreign_gguf("llama_cpp", str(first.relative_to(root)), stem, parts, _noted(first)))


def gguf_models(files: Iterator[Path]) -> Iterator[tuple[Path, tuple[Path, ...], str]]:
    """Yield of each model its first file, all its files and its stem; a projector is none."""
    for path in files:
        if path.suffix.lower() != ".gguf" or NO_WEIGHTS.search(path.stem):
            continue
        part = shard_of(path.name)
        if part is None or not part.is_possible:
            yield path, (path,), path.stem
        elif part.number == 1:
            yield path, tuple(map(path.with_name, islice(part.names(), _MAX_PARTS))), part.stem


def foreign_gguf(
    program: Program, title: str, stem: str, parts: tuple[Path, ...], provenance: ModelProvenance | None = None
) -> ForeignModel:
    """Return a model of one file or of several parts."""
    missing = [part for part in parts if not part.is_file()]
    problem = None
    if missing:
        problem = f"it is not whole: {missing[0].name} is missing"
    elif not is_gguf(parts[0]):
        problem = "it cannot be read, or is no GGUF file"
    return ForeignModel(
        program=program,
        title=title,
        name=name_of(stem),
        path=str(parts[0]),
        format="gguf",
        size_bytes=size_of(parts),
        provenance=provenance,
        problem=problem,
    )


def _noted(path: Path) -> ModelProvenance | None:
    """Return where llama.cpp's note says that a file is from."""
    note = read_limited(path.with_name(path.name + ".json"))
    try:
        url = msgspec.json.decode(note or b"", type=_Note).url
        reference = parse_reference(url)
        fetched_s = path.stat().st_mtime
    except (msgspec.MsgspecError, SourceError, OSError):
        return None
    if isinstance(reference, HubReference):
        owner = reference.repository.partition("/")[0]
        return ModelProvenance(
            kind=reference.kind, reference=str(reference), files=(), fetched_s=fetched_s, publisher=owner
        )
    if isinstance(reference, HttpReference):
        return ModelProvenance(kind="http", reference=str(reference), files=(), fetched_s=fetched_s)
    return None
