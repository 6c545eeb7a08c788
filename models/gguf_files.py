"""Find the parts of a GGUF model and read what they say of themselves."""

import re
from pathlib import Path

from models.errors import StoreError, file_errors
from models.formats.gguf import GGUFError, GGUFFile, read_gguf
from models.formats.summary import summarize_gguf
from models.found import Found, FoundFile

_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)


def find_gguf(path: Path) -> Found:
    """Find all parts of the model that `path` belongs to; links are followed once and for all. Raises: StoreError."""
    with file_errors(path):
        parts = _shards(path.resolve(strict=True))
        heads = [_read_head(part) for part in parts]
    return Found("gguf", tuple(map(FoundFile, parts)), _stem(path), summarize_gguf(*heads))


def _stem(path: Path) -> str:
    """Return the file's name without its suffix and without the number of the part."""
    shard = _SHARD.fullmatch(path.name)
    return shard["stem"] if shard else path.stem


def _shards(path: Path) -> tuple[Path, ...]:
    shard = _SHARD.fullmatch(path.name)
    count = int(shard["count"]) if shard else 0
    names = [f"{_stem(path)}-{number:05}-of-{count:05}{path.suffix}" for number in range(1, count + 1)]
    if path.name not in names:
        return (path,)
    missing = [name for name in names if not (path.parent / name).exists()]
    if missing:
        raise StoreError(f"the model has {count} parts, {missing[0]} is not beside {path.name}")
    return tuple((path.parent / name).resolve() for name in names)


def _read_head(path: Path) -> GGUFFile:
    with file_errors(path):
        try:
            return read_gguf(path)
        except GGUFError as error:
            raise StoreError(f"{path} is no usable GGUF file: {error}") from error
