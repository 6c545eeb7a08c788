"""Read what a safetensors file says of itself: which tensors it has, of what type and shape, and where they lie.

    length of the header, 8 bytes | header in JSON | tensors, one after the other

A file comes from anywhere, so nothing in it is believed: whatever is wrong ends as one SafetensorsError. The header is
read, not mapped: a mapped file that someone truncates kills the process that looks at it.

Source: the safetensors format, README of huggingface/safetensors, and the types of its `tensor.rs`.
"""

import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

MAX_HEADER_BYTES = 100_000_000
"""What the format itself allows."""
MAX_DIMENSIONS = 8

_LENGTH = struct.Struct("<Q")
_METADATA = "__metadata__"
_BITS = {
    "BOOL": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E5M2FNUZ": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E8M0": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "C64": 64,
    "F64": 64,
    "I64": 64,
    "U64": 64,
}


class SafetensorsError(ValueError):
    """The file is no readable safetensors file; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class SafetensorsTensor:
    """A tensor's description. `shape` has the outermost dimension first; the offset counts from the file's start."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    offset_bytes: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class SafetensorsFile:
    """The header of a file. The tensors stand in the order in which they lie; `metadata` is what its maker noted."""

    tensors: tuple[SafetensorsTensor, ...]
    metadata: Mapping[str, str]
    file_size_bytes: int


def read_safetensors(path: Path) -> SafetensorsFile:
    """Read the header of the file. Raises: SafetensorsError, OSError."""
    with path.open("rb") as stream:
        file_size_bytes = os.fstat(stream.fileno()).st_size
        length = stream.read(_LENGTH.size)
        if len(length) < _LENGTH.size:
            raise SafetensorsError(f"not a safetensors file: only {len(length)} bytes long")
        (header_bytes,) = _LENGTH.unpack(length)
        if header_bytes > min(MAX_HEADER_BYTES, file_size_bytes - _LENGTH.size):
            raise SafetensorsError(f"not a safetensors file: a header of {header_bytes} bytes does not fit")
        header = stream.read(header_bytes)
        if len(header) < header_bytes:
            raise SafetensorsError("the file became shorter while it was read")
    entries, metadata = _parsed(header)
    data_offset_bytes = _LENGTH.size + header_bytes
    tensors = tuple(_described(name, entry, data_offset_bytes) for name, entry in entries.items())
    ordered = tuple(sorted(tensors, key=lambda tensor: (tensor.offset_bytes, tensor.size_bytes)))
    _check_places(ordered, data_offset_bytes, file_size_bytes)
    return SafetensorsFile(ordered, metadata, file_size_bytes)


class _Entry(msgspec.Struct, frozen=True):
    dtype: str
    shape: list[Annotated[int, msgspec.Meta(ge=0)]]
    data_offsets: tuple[Annotated[int, msgspec.Meta(ge=0)], Annotated[int, msgspec.Meta(ge=0)]]


def _parsed(header: bytes) -> tuple[dict[str, _Entry], dict[str, str]]:
    """Return the entries by name, and the metadata. A name that stands twice leaves bytes that belong to nothing."""
    if not header.startswith(b"{"):
        raise SafetensorsError("not a safetensors file: its header is no JSON object")
    try:
        fields = msgspec.json.decode(header, type=dict[str, msgspec.Raw])
        raw_metadata = fields.pop(_METADATA, None)
        metadata = {} if raw_metadata is None else msgspec.json.decode(raw_metadata, type=dict[str, str])
        return {name: msgspec.json.decode(raw, type=_Entry) for name, raw in fields.items()}, metadata
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SafetensorsError(f"the header cannot be read: {error}") from None


def _described(name: str, entry: _Entry, data_offset_bytes: int) -> SafetensorsTensor:
    """Return a tensor whose bytes are as many as its shape needs."""
    if entry.dtype not in _BITS:
        raise SafetensorsError(f"tensor {name!r} has the type {entry.dtype!r}, which this version does not know")
    if len(entry.shape) > MAX_DIMENSIONS:
        raise SafetensorsError(f"tensor {name!r} has {len(entry.shape)} dimensions, more than {MAX_DIMENSIONS}")
    begin, end = entry.data_offsets
    needed_bits = math.prod(entry.shape) * _BITS[entry.dtype]
    if (end - begin) * 8 != needed_bits:
        raise SafetensorsError(f"tensor {name!r} lies in {end - begin} bytes and needs {needed_bits / 8:.0f}")
    return SafetensorsTensor(name, tuple(entry.shape), entry.dtype, data_offset_bytes + begin, end - begin)


def _check_places(ordered: tuple[SafetensorsTensor, ...], data_offset_bytes: int, file_size_bytes: int) -> None:
    """Refuse tensors that overlap, gaps between them, and a file that ends before or after the last one."""
    end = data_offset_bytes
    for tensor in ordered:
        if tensor.offset_bytes != end:
            raise SafetensorsError(
                f"tensor {tensor.name!r} begins at byte {tensor.offset_bytes}, the one before it ends at byte {end}"
            )
        end += tensor.size_bytes
    if end > file_size_bytes:
        raise SafetensorsError(f"the file is cut short: its tensors end at byte {end}, the file at {file_size_bytes}")
    if end < file_size_bytes:
        raise SafetensorsError(f"the file has {file_size_bytes - end} bytes that belong to no tensor")
