"""Walk over an ONNX file before any library reads it: its structure, the sizes of its tensors, where weights lie.

The file comes from anywhere, so nothing in it is believed: each length is checked against what holds it, each tensor's
bytes against its shape, and weights in other files must lie beside or below the graph, inside those files. Whatever is
wrong ends as one OnnxError. Values are passed over, not read, so that a graph of gigabytes costs no memory.

Sources: the protocol buffers encoding; onnx, `onnx.proto` (the numbers of the fields); ONNX, "External Data".
"""

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath

MAX_DEPTH = 24  # of graphs within graphs and lists within records
MAX_NODES = 2_000_000
MAX_TENSORS = 1_000_000
MAX_DIMENSIONS = 16
MAX_TEXT_BYTES = 65_536

_WINDOW_BYTES = 256 * 1024
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MODEL_GRAPH, _MODEL_FUNCTION = 7, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE = 1, 5, 15
_NODE_ATTRIBUTE, _FUNCTION_NODE = 5, 7
_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS = (5, 10), (22, 23)
_ATTRIBUTE_GRAPHS = (6, 11)
_SPARSE_TENSORS = (1, 2)
_DIMS, _DATA_TYPE, _NAME, _RAW_DATA, _EXTERNAL, _LOCATION = 1, 2, 8, 9, 13, 14
_IS_EXTERNAL = 1
# Bits of one value by the number of its type; a type of changing length has none.
_BITS = {1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16}
_BITS |= {17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2}
_STRING_TYPE = 8


class OnnxError(ValueError):
    """The file is no ONNX file that may be read; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """What the walk found: how much there is, and the files of weights that the graph names, relative to its folder."""

    num_nodes: int
    num_tensors: int
    data_files: tuple[str, ...]


def check_onnx(path: Path) -> OnnxFile:
    """Walk over the whole file. Raises: OnnxError, OSError."""
    with path.open("rb", buffering=0) as stream:
        walk = _Walk(_Bytes(stream.fileno()), path.parent)
        walk.model()
    if not walk.has_graph:
        raise OnnxError("not an ONNX file: it has no graph")
    return OnnxFile(walk.num_nodes, walk.num_tensors, tuple(walk.data_files))


class _Bytes:
    """A file by position, read in windows. A file that shrinks meanwhile ends early, and that is an error."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size
        self._start, self._window = 0, b""

    def varint(self, position: int, end: int) -> tuple[int, int]:
        """Return a number and the position behind it."""
        value = shift = 0
        for index in range(10):
            at = position + index
            if at >= end:
                raise OnnxError(f"a number at byte {position} ends past what holds it")
            byte = self._at(at)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & (2**64 - 1), at + 1
            shift += 7
        raise OnnxError(f"a number at byte {position} is longer than 64 bits")

    def text(self, start: int, end: int) -> str:
        """Return what is written there."""
        if end - start > MAX_TEXT_BYTES:
            raise OnnxError(f"a name at byte {start} is {end - start} bytes long, more than {MAX_TEXT_BYTES}")
        data = os.pread(self._descriptor, end - start, start)
        if len(data) != end - start:
            raise OnnxError("the file became shorter while it was read")
        return data.decode(errors="replace")

    def _at(self, position: int) -> int:
        index = position - self._start
        if not 0 <= index < len(self._window):
            self._start, index = position, 0
            self._window = os.pread(self._descriptor, _WINDOW_BYTES, position)
            if not self._window:
                raise OnnxError("the file became shorter while it was read")
        return self._window[index]


@dataclass(frozen=True, slots=True)
class _Field:
    """A field: of bytes it is `[start, end)`, of a number `value`."""

    number: int
    kind: int
    start: int
    end: int
    value: int = 0


@dataclass(slots=True)
class _Tensor:
    """What a tensor says of itself. Of several values of one field the last counts, as the format has it."""

    dims: list[int] = field(default_factory=list)
    data_type: int = 0
    name: str = ""
    raw_bytes: int | None = None
    is_external: bool = False
    external: dict[str, str] = field(default_factory=dict)


class _Walk:
    """A pass over the messages that matter; all others are skipped by their lengths."""

    def __init__(self, data: _Bytes, folder: Path) -> None:
        self._data = data
        self._folder = folder
        self._sizes: dict[str, int] = {}
        self.num_nodes = self.num_tensors = 0
        self.has_graph = False
        self.data_files: dict[str, None] = {}

    def model(self) -> None:
        for each in self._fields(0, self._data.size):
            if each.number == _MODEL_GRAPH and each.kind == _BYTES:
                self.has_graph = True
                self._graph(each, 1)
            elif each.number == _MODEL_FUNCTION and each.kind == _BYTES:
                for part in self._fields(each.start, each.end):
                    if part.number == _FUNCTION_NODE and part.kind == _BYTES:
                        self._node(part, 2)

    def _graph(self, graph: _Field, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise OnnxError(f"graphs lie within graphs more than {MAX_DEPTH} deep")
        for each in self._fields(graph.start, graph.end):
            if each.kind != _BYTES:
                continue
            if each.number == _GRAPH_NODE:
                self._node(each, depth)
            elif each.number == _GRAPH_INITIALIZER:
                self._tensor(each)
            elif each.number == _GRAPH_SPARSE:
                self._sparse(each)

    def _node(self, node: _Field, depth: int) -> None:
        self.num_nodes += 1
        if self.num_nodes > MAX_NODES:
            raise OnnxError(f"it has more than {MAX_NODES} nodes")
        for each in self._fields(node.start, node.end):
            if each.number == _NODE_ATTRIBUTE and each.kind == _BYTES:
                self._attribute(each, depth)

    def _attribute(self, attribute: _Field, depth: int) -> None:
        for each in self._fields(attribute.start, attribute.end):
            if each.kind != _BYTES:
                continue
            if each.number in _ATTRIBUTE_TENSOR:
                self._tensor(each)
            elif each.number in _ATTRIBUTE_TENSORS:
                self._sparse(each)
            elif each.number in _ATTRIBUTE_GRAPHS:
                self._graph(each, depth + 1)

    def _sparse(self, sparse: _Field) -> None:
        for each in self._fields(sparse.start, sparse.end):
            if each.number in _SPARSE_TENSORS and each.kind == _BYTES:
                self._tensor(each)

    def _tensor(self, message: _Field) -> None:
        self.num_tensors += 1
        if self.num_tensors > MAX_TENSORS:
            raise OnnxError(f"it has more than {MAX_TENSORS} tensors")
        tensor = _Tensor()
        for each in self._fields(message.start, message.end):
            self._read(tensor, each)
            if len(tensor.dims) > MAX_DIMENSIONS or len(tensor.external) > MAX_DIMENSIONS:
                raise OnnxError(f"a tensor has more than {MAX_DIMENSIONS} dimensions, or says as often where it lies")
        if any(size >= 2**63 for size in tensor.dims):
            raise OnnxError(f"tensor {tensor.name!r} has a negative dimension")
        if tensor.is_external:
            self._check_external(tensor)
        elif tensor.raw_bytes is not None and tensor.raw_bytes != _size_bytes(tensor):
            needed = f"{_size_bytes(tensor)} bytes" if tensor.data_type in _BITS else "no bytes of this type"
            raise OnnxError(f"tensor {tensor.name!r} has {tensor.raw_bytes} bytes, its shape needs {needed}")

    def _read(self, tensor: _Tensor, each: _Field) -> None:
        if each.number == _DIMS and each.kind == _VARINT:
            tensor.dims.append(each.value)
        elif each.number == _DIMS and each.kind == _BYTES:
            tensor.dims += islice(self._packed(each), MAX_DIMENSIONS + 1)
        elif each.number == _DATA_TYPE and each.kind == _VARINT:
            tensor.data_type = each.value
        elif each.number == _NAME and each.kind == _BYTES:
            tensor.name = self._data.text(each.start, each.end)
        elif each.number == _RAW_DATA and each.kind == _BYTES:
            tensor.raw_bytes = each.end - each.start
        elif each.number == _LOCATION and each.kind == _VARINT:
            tensor.is_external = each.value == _IS_EXTERNAL
        elif each.number == _EXTERNAL and each.kind == _BYTES:
            entry = {1: "", 2: ""}
            for part in self._fields(each.start, each.end):
                if part.kind == _BYTES:
                    entry[part.number] = self._data.text(part.start, part.end)
            tensor.external[entry[1]] = entry[2]

    def _packed(self, each: _Field) -> Iterator[int]:
        position = each.start
        while position < each.end:
            value, position = self._data.varint(position, each.end)
            yield value

    def _check_external(self, tensor: _Tensor) -> None:
        """Refuse weights outside the graph's folder, and such as their file does not hold."""
        location = tensor.external.get("location", "")
        place = PurePosixPath(location)
        if not place.name or place.is_absolute() or ".." in place.parts or "\\" in location or "\0" in location:
            raise OnnxError(f"the weights of {tensor.name!r} lie in {location!r}, outside the folder of the graph")
        offset_bytes = _number(tensor.external.get("offset", "0"), tensor.name)
        needed_bytes = _size_bytes(tensor)
        length_bytes = _number(tensor.external.get("length") or str(needed_bytes), tensor.name)
        if tensor.data_type in _BITS and length_bytes != needed_bytes:
            raise OnnxError(f"tensor {tensor.name!r} has {length_bytes} bytes, its shape needs {needed_bytes}")
        if location not in self._sizes:
            self._sizes[location] = self._size_of(location)
        if offset_bytes + length_bytes > self._sizes[location]:
            raise OnnxError(
                f"tensor {tensor.name!r} ends at byte {offset_bytes + length_bytes} of {location}, "
                f"which has {self._sizes[location]}"
            )
        self.data_files[location] = None

    def _size_of(self, location: str) -> int:
        try:
            return (self._folder / location).stat().st_size
        except FileNotFoundError:
            raise OnnxError(f"its weights are not all there: {location} is missing") from None

    def _fields(self, start: int, end: int) -> Iterator[_Field]:
        position, data = start, self._data
        while position < end:
            key, position = data.varint(position, end)
            number, kind = key >> 3, key & 7
            if number == 0:
                raise OnnxError(f"not an ONNX file, or not all of it: no field has the number 0 (at byte {position})")
            if kind == _VARINT:
                value, position = data.varint(position, end)
                yield _Field(number, kind, 0, 0, value)
                continue
            if kind == _BYTES:
                length, position = data.varint(position, end)
            else:
                length = {_FIXED64: 8, _FIXED32: 4}.get(kind, -1)
            if length < 0 or length > end - position:
                raise OnnxError(f"not an ONNX file, or not all of it: a field ends past byte {end}")
            yield _Field(number, kind, position, position + length)
            position += length


def _size_bytes(tensor: _Tensor) -> int:
    return -(-math.prod(tensor.dims) * _BITS.get(tensor.data_type, 0) // 8)


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise OnnxError(f"the place of the weights of {name!r} is {text[:40]!r}, which is no number")
    return int(text)
