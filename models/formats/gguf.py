"""Read what a GGUF file says of itself: metadata and tensor descriptions, never the weights.

A file comes from anywhere, so nothing in it is believed: each count, length and offset is checked before use, and
whatever is wrong ends as one GGUFError. The head is read, not mapped: a mapped file that someone truncates kills the
process that looks at it.

Source: the GGUF specification, versions 2 and 3 (ggml, docs/gguf.md).
"""

import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.formats.tensor_types import TENSOR_TYPES

MAX_HEAD_BYTES = 128 * 1024 * 1024
FIRST_READ_BYTES = 8 * 1024 * 1024
MAX_NAME_BYTES = 65_535
MAX_DIMENSIONS = 4
MAX_METADATA_KEYS = 65_536
MAX_STRINGS = 4_000_000  # in all arrays together: walking over more takes seconds
MAX_NUMBERS = 4_000_000  # in all arrays together that are kept: each becomes an object of Python
SMALL_ARRAY = 1024  # arrays up to this length are read always: values of each layer, tags, languages
DEFAULT_ALIGNMENT_BYTES = 32

_STRING, _ARRAY = 8, 9
_SCALARS = {  # struct code and name
    0: ("B", "uint8"),
    1: ("b", "int8"),
    2: ("H", "uint16"),
    3: ("h", "int16"),
    4: ("I", "uint32"),
    5: ("i", "int32"),
    6: ("f", "float32"),
    7: ("?", "bool"),
    10: ("Q", "uint64"),
    11: ("q", "int64"),
    12: ("d", "float64"),
}
_LENGTH = struct.Struct("<Q")

Scalar = bool | int | float | str


class GGUFError(ValueError):
    """The file is no readable GGUF file; the message says what is wrong and where."""


@dataclass(frozen=True, slots=True)
class ArrayInfo:
    """A long array that was skipped, or one more than a reader can be made to keep."""

    type: str
    count: int


Value = Scalar | tuple[Scalar, ...] | ArrayInfo


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A tensor's description. `shape` has the outermost dimension first; the offset counts from the file's start."""

    name: str
    shape: tuple[int, ...]
    type: str
    offset_bytes: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class GGUFFile:
    """The head of a GGUF file."""

    version: int
    metadata: Mapping[str, Value]
    tensors: tuple[TensorInfo, ...]
    data_offset_bytes: int
    file_size_bytes: int


def read_gguf(path: Path, *, read_arrays: bool = False) -> GGUFFile:
    """Read the head of the file; long arrays (the vocabulary) only with `read_arrays`.

    Raises: GGUFError, OSError.
    """
    with path.open("rb") as stream:
        file_size_bytes = os.fstat(stream.fileno()).st_size
        wanted_bytes = FIRST_READ_BYTES
        while True:
            stream.seek(0)
            head_bytes = min(wanted_bytes, file_size_bytes)
            head = stream.read(head_bytes)
            if len(head) < head_bytes:
                raise GGUFError("the file became shorter while it was read")
            try:
                return _Parser(head, file_size_bytes, read_arrays).parse()
            except _HeadTooShort:
                if wanted_bytes >= MAX_HEAD_BYTES:
                    raise GGUFError(f"the head is longer than {MAX_HEAD_BYTES} bytes") from None
                wanted_bytes *= 4


class _HeadTooShort(Exception):
    """The file goes on, but not enough of it was read."""


class _Parser:
    """A position in the head, and the checks before each step forward."""

    def __init__(self, head: bytes, file_size_bytes: int, read_arrays: bool) -> None:
        self._head = head
        self._file_size_bytes = file_size_bytes
        self._read_arrays = read_arrays
        self._position = 0
        self._strings_left = MAX_STRINGS
        self._numbers_left = MAX_NUMBERS

    def parse(self) -> GGUFFile:
        version = self._version()
        num_tensors = self._number("Q", "the number of tensors")
        num_keys = self._number("Q", "the number of metadata keys")
        self._check_count(num_tensors, 24, "tensors")
        if num_keys > MAX_METADATA_KEYS:
            raise self._error(f"{num_keys} metadata keys are more than {MAX_METADATA_KEYS}")
        metadata: dict[str, Value] = {}
        for _ in range(num_keys):
            key = self._name("a metadata key")
            if key in metadata:
                raise self._error(f"metadata key {key!r} occurs twice")
            metadata[key] = self._value(key)
        described = [self._tensor() for _ in range(num_tensors)]
        alignment_bytes = self._alignment(metadata)
        data_offset_bytes = -(-self._position // alignment_bytes) * alignment_bytes
        tensors = tuple(self._placed(tensor, data_offset_bytes, alignment_bytes) for tensor in described)
        if len({tensor.name for tensor in tensors}) < len(tensors):
            raise self._error("two tensors have the same name")
        return GGUFFile(version, metadata, tensors, data_offset_bytes, self._file_size_bytes)

    def _version(self) -> int:
        if self._file_size_bytes < 24:
            raise GGUFError(f"not a GGUF file: only {self._file_size_bytes} bytes long")
        if (magic := self._take(4, "the magic number")) != b"GGUF":
            raise GGUFError(f"not a GGUF file: it begins with {magic!r}")
        version = self._number("I", "the version")
        if version in (2, 3):
            return version
        if version & 0xFFFF == 0:
            raise self._error("a big-endian GGUF file cannot be used on this machine")
        raise self._error(f"GGUF version {version} is not supported, 2 and 3 are")

    def _value(self, key: str) -> Value:
        kind = self._number("I", f"the type of {key!r}")
        if kind == _ARRAY:
            return self._array(key)
        return self._scalar(kind, key)

    def _scalar(self, kind: int, key: str) -> Scalar:
        if kind == _STRING:
            return self._text(f"the value of {key!r}")
        if kind not in _SCALARS:
            raise self._error(f"{key!r} has the unknown type {kind}")
        layout = struct.Struct("<" + _SCALARS[kind][0])
        value: Scalar = layout.unpack(self._take(layout.size, f"the value of {key!r}"))[0]
        return value

    def _array(self, key: str) -> Value:
        kind = self._number("I", f"the element type of {key!r}")
        count = self._number("Q", f"the length of {key!r}")
        wanted = self._read_arrays or count <= SMALL_ARRAY
        if kind == _STRING:
            return self._strings(key, count, wanted)
        if kind not in _SCALARS:
            raise self._error(f"{key!r} is an array of the unusable type {kind}")
        code, name = _SCALARS[kind]
        size_bytes = self._check_count(count, struct.calcsize("<" + code), f"elements in {key!r}")
        data = self._take(size_bytes, f"the array {key!r}")
        if not wanted or count > self._numbers_left:
            return ArrayInfo(name, count)
        self._numbers_left -= count
        return struct.unpack(f"<{count}{code}", data)

    def _strings(self, key: str, count: int, wanted: bool) -> Value:
        self._check_count(count, 8, f"strings in {key!r}")
        self._strings_left -= count
        if self._strings_left < 0:
            raise self._error(f"the arrays hold more than {MAX_STRINGS} strings")
        if wanted:
            return tuple(self._text(f"a string of {key!r}") for _ in range(count))
        self._skip_strings(count, key)
        return ArrayInfo("string", count)

    def _skip_strings(self, count: int, key: str) -> None:
        """Walk over strings: the hot loop of a file with a large vocabulary."""
        position, head, unpack = self._position, self._head, _LENGTH.unpack_from
        try:
            for _ in range(count):
                position += 8 + unpack(head, position)[0]
        except (struct.error, OverflowError):
            position = max(position, len(head) + 1)
        self._take(position - self._position, f"the strings of {key!r}")

    def _tensor(self) -> TensorInfo:
        """Read one description; its offset still counts from the start of the data."""
        name = self._name("a tensor's name")
        num_dimensions = self._number("I", f"the dimensions of tensor {name!r}")
        if num_dimensions > MAX_DIMENSIONS:
            raise self._error(f"tensor {name!r} has {num_dimensions} dimensions, more than {MAX_DIMENSIONS}")
        shape = tuple(self._number("Q", f"the shape of tensor {name!r}") for _ in range(num_dimensions))[::-1]
        number = self._number("I", f"the type of tensor {name!r}")
        if number not in TENSOR_TYPES:
            raise self._error(f"tensor {name!r} has type {number}, which this version does not know")
        kind = TENSOR_TYPES[number]
        row = shape[-1] if shape else 1
        if row % kind.block_elements:
            raise self._error(f"tensor {name!r}: rows of {row} do not divide into {kind.name} blocks")
        offset_bytes = self._number("Q", f"the offset of tensor {name!r}")
        return TensorInfo(name, shape, kind.name, offset_bytes, kind.size_bytes(shape))

    def _placed(self, tensor: TensorInfo, data_offset_bytes: int, alignment_bytes: int) -> TensorInfo:
        if tensor.offset_bytes % alignment_bytes:
            raise GGUFError(f"tensor {tensor.name!r}: offset {tensor.offset_bytes} is not aligned to {alignment_bytes}")
        start = data_offset_bytes + tensor.offset_bytes
        if start + tensor.size_bytes > self._file_size_bytes:
            raise GGUFError(
                f"the file is cut short: tensor {tensor.name!r} ends at byte {start + tensor.size_bytes}, "
                f"the file at byte {self._file_size_bytes}"
            )
        return TensorInfo(tensor.name, tensor.shape, tensor.type, start, tensor.size_bytes)

    def _alignment(self, metadata: Mapping[str, Value]) -> int:
        value = metadata.get("general.alignment", DEFAULT_ALIGNMENT_BYTES)
        if type(value) is not int or value <= 0 or value & (value - 1):
            raise self._error(f"general.alignment is {value!r}, not a power of two")
        return value

    def _name(self, what: str) -> str:
        data = self._take(self._number("Q", f"the length of {what}"), what, MAX_NAME_BYTES)
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise self._error(f"{what} is not UTF-8") from None

    def _text(self, what: str) -> str:
        return self._take(self._number("Q", f"the length of {what}"), what).decode(errors="replace")

    def _number(self, code: str, what: str) -> int:
        value: int = struct.unpack("<" + code, self._take(struct.calcsize("<" + code), what))[0]
        return value

    def _check_count(self, count: int, least_bytes: int, what: str) -> int:
        """Return the bytes that `count` things need, refusing a count that the file cannot hold."""
        if count * least_bytes > self._file_size_bytes - self._position:
            raise self._error(f"{count} {what} do not fit in the rest of the file")
        return count * least_bytes

    def _take(self, size_bytes: int, what: str, most_bytes: int | None = None) -> bytes:
        if most_bytes is not None and size_bytes > most_bytes:
            raise self._error(f"{what} is {size_bytes} bytes long, more than {most_bytes}")
        end = self._position + size_bytes
        if end > self._file_size_bytes:
            raise self._error(f"{what} ends past the file, at byte {end} of {self._file_size_bytes}")
        if end > len(self._head):
            raise _HeadTooShort
        data = self._head[self._position : end]
        self._position = end
        return data

    def _error(self, message: str) -> GGUFError:
        return GGUFError(f"{message} (at byte {self._position})")


def element_count(tensor: TensorInfo) -> int:
    """Return how many numbers the tensor holds."""
    return math.prod(tensor.shape)
