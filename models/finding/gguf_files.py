"""Find the parts of a GGUF model and read what they say of themselves."""

from pathlib import Path

from models.errors import StoreError, file_errors
from models.finding.found import Found, FoundFile
from models.finding.quality_file import read_quality_beside
from models.formats.gguf import GGUFError, GGUFFile, read_gguf
from models.formats.projector import is_projector
from models.formats.refusal import RefusedFormat, check_content
from models.formats.shard_names import ShardName, shard_of
from models.formats.summary import summarize_gguf


def find_gguf(path: Path) -> Found:
    """Find all parts of the model that `path` belongs to; links are followed once and for all. Raises: StoreError."""
    with file_errors(path):
        parts = _shards(path, resolved=path.resolve(strict=True))
        heads = [_read_head(part) for part in parts]
        if heads[0].metadata.get("general.type") == "adapter":
            raise StoreError(f"{path} is a LoRA adapter, not a model; write: appliance models adapters add {path}")
        if is_projector(heads[0]):
            raise StoreError(f"{path} is a projector: add the model that reads through it, with --projector {path}")
        # A library finds the other parts by the first one's name, which a cache may keep in its links alone
        files = tuple(FoundFile(part.resolve(), part.name if len(parts) > 1 else None) for part in parts)
    return Found("gguf", files, _stem(path), summarize_gguf(*heads), quality=read_quality_beside(path))


def _stem(path: Path) -> str:
    """Return the file's name without its suffix and without the number of the part."""
    shard = _shard_of(path)
    return shard.stem if shard else path.stem


def _shard_of(path: Path) -> ShardName | None:
    shard = shard_of(path.name)
    return shard if shard and shard.ending.lower() == ".gguf" else None


def _shards(path: Path, resolved: Path) -> tuple[Path, ...]:
    """Return all parts of a model: beside the path that was named, else beside the file that it leads to."""
    shard = _shard_of(path)
    if shard is None or not shard.is_possible:
        return (path,) if path == resolved else _shards(resolved, resolved)
    names = list(shard.names())
    missing = [name for name in names if not (path.parent / name).exists()]
    if not missing:
        return tuple(path.parent / name for name in names)
    if path != resolved:
        return _shards(resolved, resolved)
    raise StoreError(f"the model has {shard.count} parts, {missing[0]} is not beside {path.name}")


def _read_head(path: Path) -> GGUFFile:
    with file_errors(path):
        try:
            check_content(path)
            return read_gguf(path)
        except RefusedFormat as refusal:
            raise StoreError(str(refusal)) from None
        except GGUFError as error:
            raise StoreError(f"{path} is no usable GGUF file: {error}") from error
