"""Write a GGUF file: metadata first, then the tensors, which stream through in chunks of rows.

Source: the GGUF specification, version 3 (ggml, docs/gguf.md).
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from models.files import replace_atomically
from models.formats.quantize import Floats, encode
from models.formats.tensor_types import TENSOR_TYPE_NUMBERS, TensorType, type_named

Scalar = bool | int | float | str
Value = Scalar | Sequence[Scalar]

MAGIC = b"GGUF"
VERSION = 3
ALIGNMENT_BYTES = 32


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor to write. `shape` has the outermost dimension first, as numpy writes it.

    `chunks` is called once, when the tensor's turn comes, and yields float32 arrays of whole rows.
    """

    name: str
    shape: tuple[int, ...]
    tensor_type: str
    chunks: Callable[[], Iterable[Floats]]


def write_gguf(path: Path, metadata: Mapping[str, Value], tensors: Iterable[Tensor]) -> None:
    """Write the file under a temporary name and rename it when it is whole.

    Integers become uint32 (or the smallest wider type that holds them), arrays of integers int32, floats float32.
    Raises: ValueError for a value or a tensor that the format cannot hold, OSError.
    """
    ordered = tuple(tensors)
    with replace_atomically(path) as stream:
        stream.write(MAGIC + struct.pack("<IQQ", VERSION, len(ordered), len(metadata)))
        for key, value in metadata.items():
            stream.write(_string(key) + _typed_value(key, value))
        offset_bytes = 0
        for tensor in ordered:
            stream.write(_tensor_info(tensor, offset_bytes))
            offset_bytes += _aligned(_type_of(tensor).size_bytes(tensor.shape))
        _pad(stream)
        for tensor in ordered:
            _write_tensor(stream, tensor)


def _write_tensor(stream: BinaryIO, tensor: Tensor) -> None:
    start = stream.tell()
    for chunk in tensor.chunks():
        stream.write(encode(chunk, tensor.tensor_type))
    written, expected = stream.tell() - start, _type_of(tensor).size_bytes(tensor.shape)
    if written != expected:
        raise ValueError(f"tensor {tensor.name!r} gave {written} bytes where its shape needs {expected}")
    _pad(stream)


def _type_of(tensor: Tensor) -> TensorType:
    if tensor.tensor_type not in TENSOR_TYPE_NUMBERS:
        raise ValueError(f"tensor {tensor.name!r}: unknown type {tensor.tensor_type!r}")
    return type_named(tensor.tensor_type)


def _tensor_info(tensor: Tensor, offset_bytes: int) -> bytes:
    innermost_first = tensor.shape[::-1]
    return (
        _string(tensor.name)
        + struct.pack(f"<I{len(innermost_first)}Q", len(innermost_first), *innermost_first)
        + struct.pack("<IQ", TENSOR_TYPE_NUMBERS[_type_of(tensor).name], offset_bytes)
    )


def _aligned(size_bytes: int) -> int:
    return -(-size_bytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def _pad(stream: BinaryIO) -> None:
    position = stream.tell()
    stream.write(bytes(_aligned(position) - position))


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _typed_value(key: str, value: Value) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", 8) + _string(value)
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return _integer(key, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    return struct.pack("<I", 9) + _array(key, value)


def _integer(key: str, value: int) -> bytes:
    for number, code in ((4, "I"), (5, "i"), (10, "Q"), (11, "q")):
        try:
            return struct.pack(f"<I{code}", number, value)
        except struct.error:
            continue
    raise ValueError(f"{key}: {value} does not fit in 64 bits")


def _array(key: str, values: Sequence[Scalar]) -> bytes:
    kinds = {type(value) for value in values}
    if len(kinds) != 1:
        raise ValueError(f"{key}: an array needs elements of one type, it has {len(kinds)}")
    kind = kinds.pop()
    if kind is str:
        return struct.pack("<IQ", 8, len(values)) + b"".join(_string(str(value)) for value in values)
    number, code = {bool: (7, "?"), int: (5, "i"), float: (6, "f")}[kind]
    return struct.pack("<IQ", number, len(values)) + struct.pack(f"<{len(values)}{code}", *values)
