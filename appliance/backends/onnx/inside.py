"""Weights that lie in the graph's own file: where, so that a prepared graph can point there instead of copying them.

Source: protobuf's encoding guide (fields as tag, length, bytes) and onnx.proto for the numbers of the fields.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from onnx import TensorProto

# Fields of onnx.proto: ModelProto.graph, GraphProto.initializer, TensorProto.name and .raw_data.
_GRAPH, _INITIALIZER, _NAME, _RAW_DATA = 7, 5, 8, 9
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# Smaller tensors are shapes and axes, which the library must know before it maps a file.
_MIN_BYTES = 1024


def point_inside(graph: Any, path: Path) -> None:
    """Replace each large weight of `graph`, read from the file at `path`, by its place in that file."""
    large = [tensor for tensor in graph.initializer if len(tensor.raw_data) >= _MIN_BYTES]
    if not large:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        places = dict(_places(content))
    for tensor in large:
        begin, end = places[tensor.name]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", path.name), ("offset", begin), ("length", end - begin)):
            tensor.external_data.add(key=key, value=str(value))


def _places(content: mmap.mmap) -> Iterator[tuple[str, tuple[int, int]]]:
    """Return the name and the bytes `[begin, end)` of each initializer that has raw data."""
    for number, begin, end in _fields(content, 0, len(content)):
        if number != _GRAPH:
            continue
        for inner, tensor_begin, tensor_end in _fields(content, begin, end):
            if inner != _INITIALIZER:
                continue
            parts = {field: (first, last) for field, first, last in _fields(content, tensor_begin, tensor_end)}
            if _NAME in parts and _RAW_DATA in parts:
                yield content[slice(*parts[_NAME])].decode(), parts[_RAW_DATA]


def _fields(content: mmap.mmap, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Return number, begin and end of each field with a length; the file is known to be whole."""
    while begin < end:
        tag, begin = _varint(content, begin)
        kind = tag & 7
        if kind == _BYTES:
            length, begin = _varint(content, begin)
            yield tag >> 3, begin, begin + length
            begin += length
        elif kind == _VARINT:
            _, begin = _varint(content, begin)
        else:
            begin += {_FIXED64: 8, _FIXED32: 4}[kind]


def _varint(content: mmap.mmap, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, lowest first, and where the next field begins."""
    value = shift = 0
    while (byte := content[at]) & 0x80:
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return value | byte << shift, at + 1
