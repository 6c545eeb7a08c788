"""The models in a cache of Hugging Face: repositories, their revisions as folders of links, and files by digest.

Source: huggingface_hub, documentation, "Understand caching".
"""

import re
from collections.abc import Iterator
from pathlib import Path

from models.importers.base import ForeignModel, Search, files_below, folders_in, name_of, read_limited, size_of
from models.importers.gguf_trees import foreign_gguf, gguf_models
from models.manifest import ModelFormat, ModelProvenance
from models.sources.base import SourceError
from models.sources.reference import HubReference, parse_reference, pinned

_PREFIX = "models--"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def find_hugging_face(root: Path, search: Search) -> None:
    """Add what the folder `hub` of the cache holds: of each repository the revision that `main` stands for."""
    for repository in folders_in(root, search):
        named = repository.name.removeprefix(_PREFIX)
        if named == repository.name or named.count("--") > 1:
            continue
        snapshot = _snapshot(repository, search)
        if snapshot is not None:
            search.models += _models(named.replace("--", "/"), snapshot, search)


def _snapshot(repository: Path, search: Search) -> Path | None:
    """Return the folder of the revision that `main` stands for, else the newest."""
    main = (read_limited(repository / "refs" / "main") or b"").decode("ascii", "replace").strip()
    if _COMMIT.fullmatch(main) and (repository / "snapshots" / main).is_dir():
        return repository / "snapshots" / main
    folders = folders_in(repository / "snapshots", search)
    return max(folders, key=lambda folder: folder.stat().st_mtime, default=None)


def _models(title: str, snapshot: Path, search: Search) -> Iterator[ForeignModel]:
    files = list(files_below(snapshot, search))
    found = False
    for first, parts, stem in gguf_models(iter(files)):
        found = True
        inside = first.relative_to(snapshot).as_posix()
        yield foreign_gguf("hugging_face", f"{title}/{inside}", stem, parts, _provenance(title, snapshot, inside))
    names = {file.relative_to(snapshot).as_posix() for file in files}
    if any(name.endswith(".onnx") for name in names):
        found = True
        yield _folder(title, snapshot, "onnx", files, None)
    elif any(name.endswith(".safetensors") for name in names) and "config.json" in names:
        found = True
        yield _folder(title, snapshot, "safetensors", files, None)
    if not found and any(name.endswith(_PICKLES) for name in names):
        problem = "its weights are pickles, which may run programs when they are read; fetch it as GGUF or safetensors"
        yield _folder(title, snapshot, "safetensors", files, problem)


def _folder(title: str, snapshot: Path, format_: ModelFormat, files: list[Path], problem: str | None) -> ForeignModel:
    if problem is None and not (snapshot / "tokenizer.json").is_file():
        problem = "it has no tokenizer.json, without which a model reads no text"
    return ForeignModel(
        program="hugging_face",
        title=title,
        name=name_of(title.rpartition("/")[2]),
        path=str(snapshot),
        format=format_,
        size_bytes=size_of(files),
        provenance=_provenance(title, snapshot, None),
        problem=problem,
    )


def _provenance(title: str, snapshot: Path, file: str | None) -> ModelProvenance | None:
    """Return which repository and commit the files are of."""
    try:
        reference = parse_reference(f"hf:{title}")
    except SourceError:
        return None
    if not isinstance(reference, HubReference) or not _COMMIT.fullmatch(snapshot.name):
        return None
    whole = pinned(reference, file or "", snapshot.name)
    return ModelProvenance(
        kind="hugging_face",
        reference=str(whole),
        files=(),
        fetched_s=snapshot.stat().st_mtime,
        publisher=title.partition("/")[0] if "/" in title else None,
        revision=snapshot.name,
    )
