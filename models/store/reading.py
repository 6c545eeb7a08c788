"""Read a file from its beginning to its end as fast as its disk gives it, for whoever hashes or copies it."""

import os
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

CHUNK_BYTES = 4 * 1024 * 1024


def read_chunks(stream: BinaryIO, *, from_disk: bool = False) -> Generator[memoryview, None, None]:
    """Yield what an unbuffered file holds, piece by piece; to be closed before the file is.

    A piece is valid until the next one is asked for, which is read meanwhile. With `from_disk`, what the system
    remembers of the file is forgotten before and after, as far as nobody else uses it: bit rot shows on the disk alone.
    """
    descriptor = stream.fileno()
    buffers = [memoryview(bytearray(CHUNK_BYTES)), memoryview(bytearray(CHUNK_BYTES))]
    if from_disk:
        _forget(descriptor)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read ahead") as reader:
        number = 0
        reading = reader.submit(os.readv, descriptor, [buffers[0]])
        while num_bytes := reading.result():
            piece = buffers[number % 2][:num_bytes]
            number += 1
            reading = reader.submit(os.readv, descriptor, [buffers[number % 2]])
            yield piece
    if from_disk:
        _forget(descriptor)


def _forget(descriptor: int) -> None:
    """Let the system forget what it remembers of a file; one that cannot is none the worse."""
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError:
        return
