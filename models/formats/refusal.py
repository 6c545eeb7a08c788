"""Tell files that may run a program when they are read, or that no model here is made of, by what is in them.

A pickle is a program: loading one runs whatever its maker wrote. The name of a file says nothing, so its bytes are
looked at; none of them is ever given to a library that could run it.

Sources: CPython, `Lib/pickletools.py`; PyTorch, `torch/serialization.py`; HDF5, "Format Signature and Superblock".
"""

import pickletools
import re
import zipfile
from itertools import islice
from pathlib import Path
from typing import BinaryIO

HEAD_BYTES = 64 * 1024
MAX_ARCHIVE_NAMES = 10_000
_LEAST_OPCODES = 4

_PICKLE = "Python's pickle, which runs whatever its maker wrote when it is read"
_MEND = "take the same model as GGUF, ONNX or safetensors"
_SIGNATURES = (
    (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", f"a PyTorch file of the old form: {_PICKLE}"),
    (b"\x93NUMPY", "a NumPy array, which may hold pickled objects"),
    (b"ZF\x00\x78", f"a joblib file: {_PICKLE}"),
    (b"\x1f\x8b", "compressed by gzip, so that what it holds cannot be told before it is unpacked"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd, so that what it holds cannot be told before it is unpacked"),
    (b"\xfd7zXZ\x00", "compressed by xz, so that what it holds cannot be told before it is unpacked"),
    (b"BZh", "compressed by bzip2, so that what it holds cannot be told before it is unpacked"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)
_HDF5 = b"\x89HDF\r\n\x1a\n"
_HDF5_OFFSETS = (0, 512, 1024, 2048, 4096, 8192)
_TAR_OFFSET, _TAR = 257, b"ustar"
_BINARY_PICKLE = re.compile(rb"\x80[\x02-\x05]")
# Of the older protocols: an object by its name, or a mark or container, then opcodes in letters.
_TEXT_PICKLE = re.compile(rb"(?:c[\w.]+\n[\w.]+\n|\([dlticp]|[\]})](?:q.|p\d))", re.DOTALL)
_PICKLE_NAME = re.compile(
    r"\.(?:bin|pt|pth|ckpt|pkl|pickle|joblib|h5|hdf5|keras|npz|npy|nemo|pyc|tar|th)", re.IGNORECASE
)


class RefusedFormat(ValueError):
    """The file is of a form that is never taken in; the message says which, and what to take instead."""


def check_content(path: Path) -> None:
    """Refuse a file by its bytes, whatever it is called. Raises: RefusedFormat, OSError."""
    with path.open("rb") as stream:
        found = _what(stream)
    if found is not None:
        raise RefusedFormat(f"{path} is {found}; {_MEND}")


def refused_name(name: str) -> str | None:
    """Return why a file of this name is not worth fetching, None where its bytes shall decide."""
    suffix = Path(name).suffix
    if _PICKLE_NAME.fullmatch(suffix) is None:
        return None
    return f"{name}: files in {suffix.lower()} can hold {_PICKLE}; {_MEND}"


def _what(stream: BinaryIO) -> str | None:
    head = stream.read(HEAD_BYTES)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _archive(stream)
    for signature, found in _SIGNATURES:
        if head.startswith(signature):
            return found
    if any(head[offset : offset + len(_HDF5)] == _HDF5 for offset in _HDF5_OFFSETS):
        return "an HDF5 file, as Keras writes it, whose layers can hold programs"
    if head[_TAR_OFFSET : _TAR_OFFSET + len(_TAR)] == _TAR:
        return "a tar archive; unpack it, and look at what is inside"
    return _PICKLE if _is_pickle(head) else None


def _is_pickle(head: bytes) -> bool:
    """Tell whether the bytes are opcodes of a pickle machine: several in a row, that make something."""
    if _BINARY_PICKLE.match(head) is None and _TEXT_PICKLE.match(head) is None:
        return False
    num_opcodes = 0
    try:
        for opcode, _, _ in islice(pickletools.genops(head), 64):
            num_opcodes += 1
            if opcode.name == "STOP":
                return True
    except Exception:  # genops knows no error of its own: what it cannot read is no pickle from there on
        return num_opcodes >= _LEAST_OPCODES
    return num_opcodes >= _LEAST_OPCODES


def _archive(stream: BinaryIO) -> str:
    try:
        with zipfile.ZipFile(stream) as archive:
            names = list(islice(archive.namelist(), MAX_ARCHIVE_NAMES))
    except Exception:  # a damaged archive raises whatever its numbers lead to
        return "a damaged ZIP archive"
    if any(name.endswith(".pkl") for name in names):
        return f"a PyTorch file: {_PICKLE}"
    if any(name.endswith(".weights.h5") for name in names):
        return "a Keras file, whose layers can hold programs"
    if any(name.endswith(".npy") for name in names):
        return "an archive of NumPy arrays, which may hold pickled objects"
    return "a ZIP archive; unpack it, and look at what is inside"
