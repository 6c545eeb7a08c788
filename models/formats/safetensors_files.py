"""Which files of a Hugging Face folder hold its weights: one, or the parts that its index names.

Source: transformers, `modeling_utils`, the order in which it looks for weights in safetensors.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePath

import msgspec

from models.formats.safetensors import SafetensorsError, SafetensorsTensor, read_safetensors

WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
SUFFIX = ".safetensors"

_MAX_INDEX_BYTES = 100_000_000


StoredTensor = tuple[Path, SafetensorsTensor]
"""A tensor, and the file of the folder that it lies in."""


class _Index(msgspec.Struct):
    weight_map: dict[str, str]


def has_weights(folder: Path) -> bool:
    """Return whether a folder holds weights in safetensors. Raises: OSError."""
    return any((folder / name).is_file() for name in (WEIGHTS_FILE, INDEX_FILE))


def weight_files(folder: Path) -> tuple[Path, ...]:
    """Return the files with the weights, in the order of their names. Raises: SafetensorsError, OSError."""
    if (folder / WEIGHTS_FILE).is_file():
        return (folder / WEIGHTS_FILE,)
    index = folder / INDEX_FILE
    if index.stat().st_size > _MAX_INDEX_BYTES:
        raise SafetensorsError(f"{INDEX_FILE} is longer than {_MAX_INDEX_BYTES} bytes")
    try:
        names = sorted(set(msgspec.json.decode(index.read_bytes(), type=_Index).weight_map.values()))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SafetensorsError(f"{INDEX_FILE} cannot be read: {error}") from None
    if not names:
        raise SafetensorsError(f"{INDEX_FILE} names no file")
    for name in names:
        if PurePath(name).name != name or not name.endswith(SUFFIX):
            raise SafetensorsError(f"{INDEX_FILE} names {name!r}, which is no file of this folder")
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise SafetensorsError(f"the model has {len(names)} parts, {missing[0]} is not among its files")
    return tuple(folder / name for name in names)


def bytes_by_type(tensors: Iterable[SafetensorsTensor]) -> Counter[str]:
    """Return how many bytes the tensors of each type take."""
    sizes: Counter[str] = Counter()
    for tensor in tensors:
        sizes[tensor.dtype] += tensor.size_bytes
    return sizes


def read_tensors(files: tuple[Path, ...]) -> dict[str, StoredTensor]:
    """Return each tensor by its name, and the file in which it lies. Raises: SafetensorsError, OSError."""
    found: dict[str, StoredTensor] = {}
    for path in files:
        try:
            tensors = read_safetensors(path).tensors
        except SafetensorsError as error:
            raise SafetensorsError(f"{path.name}: {error}") from None
        for tensor in tensors:
            if tensor.name in found:
                raise SafetensorsError(f"{tensor.name!r} stands in {found[tensor.name][0].name} and in {path.name}")
            found[tensor.name] = (path, tensor)
    return found
