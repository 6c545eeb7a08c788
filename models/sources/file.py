"""A model on a disk of this machine or on a stick: a GGUF file with its parts, or a folder with one model in it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec

from models.errors import StoreError, file_errors
from models.sources.base import RemoteFile, RemoteModel, SourceError
from models.sources.choice import choose_files
from models.sources.file_names import is_pickle
from models.sources.reference import FileReference, parse_reference
from models.sources.sidecars import MAX_BYTES, digest_in

_MAX_DEPTH = 3
_MAX_LISTED = 10_000
_SUMS = ("SHA256SUMS", "sha256sums.txt")


class FileSource:
    """Files that are there already. A digest that lies beside them is believed to be the one they were sent with."""

    def resolve(self, reference: str, max_bytes: int | None = None) -> RemoteModel:
        """Return the model at a path. Raises: SourceError."""
        parsed = parse_reference(reference)
        if not isinstance(parsed, FileReference):
            raise SourceError(f"{reference[:120]!r} is no path")
        path = Path(parsed.path)
        if not path.is_absolute():
            raise SourceError(f"{parsed.path} is no whole path; write it from the root on: /…/{path.name}")
        try:
            with file_errors(path):
                return self._found(path)
        except SourceError:
            raise
        except StoreError as error:
            raise SourceError(str(error)) from error

    def headers(self, url: str) -> dict[str, str]:
        """Return nothing: a file needs none."""
        return {}

    def _found(self, path: Path) -> RemoteModel:
        is_folder = path.is_dir()
        folder = path if is_folder else path.parent
        if not is_folder:
            _check_file(path)
        found = {file.as_uri(): file for file in (_listed(folder) if is_folder else _siblings(path))}
        files = [
            RemoteFile(name=file.relative_to(folder).as_posix(), url=url, size_bytes=file.stat().st_size)
            for url, file in found.items()
        ]
        choice = choose_files(files, folder.name, None if is_folder else path.name)
        return RemoteModel(
            kind="file",
            reference=str(path),
            stem=choice.stem,
            choice=choice.reason,
            files=tuple(msgspec.structs.replace(file, sha256=_stated_digest(found[file.url])) for file in choice.files),
        )


def _stated_digest(path: Path) -> str | None:
    """Return the sha256 that lies beside a file, None where there is none."""
    for beside in (path.with_name(f"{path.name}.sha256"), *(path.with_name(name) for name in _SUMS)):
        try:
            with beside.open("rb") as stream:
                found = digest_in(stream.read(MAX_BYTES + 1), path.name)
        except OSError:
            continue
        if found is not None:
            return found
    return None


def _siblings(path: Path) -> list[Path]:
    """Return the files that could be parts of the one that is named."""
    return sorted(
        each for each in path.parent.iterdir() if each.suffix.lower() == path.suffix.lower() and each.is_file()
    )


def _listed(folder: Path) -> list[Path]:
    """Return the regular files of a folder and of those in it, but none that hide."""
    found: list[Path] = []
    for path in _walked(folder, 0):
        found.append(path)
        if len(found) > _MAX_LISTED:
            raise SourceError(f"{folder} has more than {_MAX_LISTED} files; name the model's own folder")
    return sorted(found)


def _walked(folder: Path, depth: int) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False) and depth < _MAX_DEPTH:
                yield from _walked(Path(entry.path), depth + 1)
            elif entry.is_file():
                yield Path(entry.path)


def _check_file(path: Path) -> None:
    if not stat.S_ISREG(path.stat().st_mode):
        raise SourceError(f"{path} is neither a file nor a folder")
    if path.suffix.lower() != ".gguf" and not is_pickle(path.name):
        raise SourceError(f"{path} is no .gguf file; other formats are made of several files: name their folder")
