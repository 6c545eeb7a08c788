"""The file of one block of a kept prefix: its format, written as a whole and read with every byte checked.

    magic, version, header length, checksum of these and the header │ header (msgpack) │ payload

The header says how long the payload is and what its checksum is, so a file that was cut off shows without its payload
being read. Nothing is synced: what a power failure tears is found by its checksums, and is only computed again. The
checksum is CRC-32, which misses no damage within 32 bits in a row; against somebody who may write into the folder no
checksum would help. Files are read, not mapped: a bad sector is then an error and not a signal that ends the process.
"""

import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from appliance.caches.kv_codec import Damaged, Encoded, decode

SUFFIX = ".kv"
PARTIAL_SUFFIX = ".partial"
KEY_BYTES = 16

_MAGIC = b"\x89KVblok\n"
_VERSION = 1
_PREFIX = struct.Struct("<8sIII")
_CHECKED_PREFIX_BYTES = _PREFIX.size - 4
_FIRST_READ_BYTES = 4096  # a block's header with its 256 tokens, in one read
_MAX_BUFFERS = 512  # of one call: POSIX promises 16, Linux and macOS take 1024


class Header(msgspec.Struct, frozen=True, array_like=True):
    """What a file says of its payload. `tokens` are 32-bit integers, little-endian."""

    key: bytes
    parent: bytes
    start: int
    tokens: bytes
    layout: str
    part_bytes: tuple[int, ...]
    width_bytes: int
    stored_bytes: int
    payload_crc32: int


class FileHead(NamedTuple):
    """A checked header, and where the file's payload begins."""

    header: Header
    payload_start: int
    used_s: float

    @property
    def num_bytes(self) -> int:
        """The size of the file."""
        return self.payload_start + self.header.stored_bytes


def file_name(key: bytes) -> str:
    """Return the name of a block's file."""
    return key.hex() + SUFFIX


def describe(
    key: bytes, parent: bytes, start: int, tokens: bytes, layout: str, part_bytes: Sequence[int], payload: Encoded
) -> Header:
    """Return the header for a payload."""
    crc32 = 0
    for buffer in payload.buffers:
        crc32 = zlib.crc32(buffer, crc32)
    return Header(
        key=key,
        parent=parent,
        start=start,
        tokens=tokens,
        layout=layout,
        part_bytes=tuple(part_bytes),
        width_bytes=payload.width_bytes,
        stored_bytes=payload.num_bytes,
        payload_crc32=crc32,
    )


def pack_header(header: Header) -> bytes:
    """Return what stands before the payload."""
    encoded = msgspec.msgpack.encode(header)
    checked = _PREFIX.pack(_MAGIC, _VERSION, len(encoded), 0)[:_CHECKED_PREFIX_BYTES]
    return _PREFIX.pack(_MAGIC, _VERSION, len(encoded), zlib.crc32(encoded, zlib.crc32(checked))) + encoded


def write_file(path: Path, buffers: Sequence[bytes | memoryview]) -> None:
    """Write a file that is there as a whole or not at all, also when the process dies. Raises: OSError."""
    partial = path.with_suffix(PARTIAL_SUFFIX)
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            _write_all(descriptor, [memoryview(buffer) for buffer in buffers])
        finally:
            os.close(descriptor)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def read_head(path: Path) -> FileHead:
    """Return what a file says of itself, without its payload. Raises: Damaged, OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return _read_head(descriptor, path)
    finally:
        os.close(descriptor)


def read_parts(path: Path) -> tuple[memoryview, ...]:
    """Return the parts that were written, read-only and owned by whoever holds them. Raises: Damaged, OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        head = _read_head(descriptor, path)
        stored = np.empty(head.header.stored_bytes, np.uint8)
        _read_all(descriptor, stored.data, head.payload_start)
    finally:
        os.close(descriptor)
    if zlib.crc32(stored.data) != head.header.payload_crc32:
        raise Damaged("its checksum is wrong")
    sizes = head.header.part_bytes
    content = decode(stored, head.header.width_bytes, sum(sizes)).data.toreadonly()
    ends = np.cumsum(sizes).tolist()
    return tuple(content[end - size : end] for size, end in zip(sizes, ends, strict=True))


def _read_head(descriptor: int, path: Path) -> FileHead:
    status = os.fstat(descriptor)
    first = os.pread(descriptor, _FIRST_READ_BYTES, 0)
    if len(first) < _PREFIX.size:
        raise Damaged("it is cut off")
    magic, version, header_bytes, crc32 = _PREFIX.unpack_from(first)
    if magic != _MAGIC:
        raise Damaged("it is no file of this kind")
    if version != _VERSION:
        raise Damaged(f"its format is version {version}, not {_VERSION}")
    payload_start = _PREFIX.size + header_bytes
    if payload_start > status.st_size:
        raise Damaged("it is cut off")
    if payload_start > len(first):
        first += os.pread(descriptor, payload_start - len(first), len(first))
    encoded = first[_PREFIX.size : payload_start]
    if zlib.crc32(encoded, zlib.crc32(first[:_CHECKED_PREFIX_BYTES])) != crc32:
        raise Damaged("the checksum of its header is wrong")
    header = msgspec.msgpack.decode(encoded, type=Header)
    if file_name(header.key) != path.name:
        raise Damaged("it has the name of another")
    head = FileHead(header, payload_start, status.st_mtime)
    if head.num_bytes != status.st_size:
        raise Damaged("it is cut off" if status.st_size < head.num_bytes else "it is too long")
    return head


def _write_all(descriptor: int, buffers: list[memoryview]) -> None:
    while buffers:
        num_written = os.writev(descriptor, buffers[:_MAX_BUFFERS])
        while buffers and num_written >= buffers[0].nbytes:
            num_written -= buffers.pop(0).nbytes
        if num_written:
            buffers[0] = buffers[0][num_written:]


def _read_all(descriptor: int, target: memoryview, offset: int) -> None:
    """A single read returns 2 GiB at most."""
    while target:
        num_read = os.preadv(descriptor, [target], offset)
        if num_read == 0:
            raise Damaged("it is cut off")
        target, offset = target[num_read:], offset + num_read
