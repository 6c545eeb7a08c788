"""Replace a file as a whole: whoever reads it, also after a crash, sees the old content or the new one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PARTIAL_SUFFIX = ".partial"


@contextmanager
def replace_atomically(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to write; it takes the name `path` once the block ends without an error.

    The temporary file lies beside `path` (a rename must not cross file systems) and is synced before the rename.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL_SUFFIX}")
    try:
        with partial.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def delete_durably(path: Path) -> None:
    """Delete a file so that it stays deleted after a crash."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Make what a file holds durable, whoever wrote it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make renames and deletions in the folder durable."""
    sync_file(folder)
