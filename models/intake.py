"""Take in the files of a model: find the parts, understand them, hash them and, when asked, copy them."""

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from models.errors import StoreError
from models.files import PARTIAL_SUFFIX
from models.formats.gguf import GGUFError, GGUFFile, read_gguf

CHUNK_BYTES = 4 * 1024 * 1024
_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AddProgress:
    """How far the reading of a model is."""

    done_bytes: int
    total_bytes: int
    text: str


@dataclass(frozen=True, slots=True)
class TakenFile:
    """A file that was read whole, and where its copy waits for its name, if one was made."""

    path: Path
    size_bytes: int
    mtime_ns: int
    sha256: str
    copy: Path | None


@dataclass(slots=True)
class Intake:
    """The files of one model on their way in."""

    paths: tuple[Path, ...]
    heads: tuple[GGUFFile, ...]
    taken: list[TakenFile] = field(default_factory=list)
    _copies: ExitStack = field(default_factory=ExitStack)

    @property
    def total_bytes(self) -> int:
        return sum(head.file_size_bytes for head in self.heads)

    def read(self, copies: Path | None) -> Generator[AddProgress, None, None]:
        """Hash each file, and copy it into the folder `copies` in the same pass. Raises: StoreError.

        The copies are held open, and so locked against `is_abandoned`, until `close`.
        """
        if copies is not None:
            _check_space(copies, self.total_bytes)
        done_bytes = 0
        for path in self.paths:
            with _described(path), path.open("rb") as source:
                target, copy = self._copies.enter_context(_copy_target(copies)) if copies else (None, None)
                before = os.fstat(source.fileno())
                digest = hashlib.sha256()
                while chunk := source.read(CHUNK_BYTES):
                    digest.update(chunk)
                    if target is not None:
                        target.write(chunk)
                    done_bytes += len(chunk)
                    yield AddProgress(done_bytes, self.total_bytes, path.name)
                after = path.stat()
                if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                    raise StoreError(f"{path} changed while it was read; add it again once it is complete")
                if target is not None:
                    target.flush()
                    os.fsync(target.fileno())
                self.taken.append(TakenFile(path, after.st_size, after.st_mtime_ns, digest.hexdigest(), copy))

    def close(self) -> None:
        """Delete the copies that were not given a name."""
        self._copies.close()


def open_intake(path: Path) -> Intake:
    """Find all parts of the model that `path` belongs to and read their heads. Raises: StoreError."""
    with _described(path):
        paths = _shards(path.resolve(strict=True))
        return Intake(paths, tuple(read_gguf(each) for each in paths))


def model_stem(path: Path) -> str:
    """Return the file's name without its suffix and without the number of the part."""
    shard = _SHARD.fullmatch(path.name)
    return shard["stem"] if shard else path.stem


def is_abandoned(partial: Path) -> bool:
    """Tell whether no living process is writing this copy."""
    try:
        with partial.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _shards(path: Path) -> tuple[Path, ...]:
    if path.is_dir():
        raise StoreError(f"{path} is a folder; name a .gguf file")
    shard = _SHARD.fullmatch(path.name)
    count = int(shard["count"]) if shard else 0
    names = [f"{model_stem(path)}-{number:05}-of-{count:05}{path.suffix}" for number in range(1, count + 1)]
    if path.name not in names:
        return (path,)
    missing = [name for name in names if not (path.parent / name).exists()]
    if missing:
        raise StoreError(f"the model has {count} parts, {missing[0]} is not beside {path.name}")
    return tuple((path.parent / name).resolve() for name in names)


@contextmanager
def _described(path: Path) -> Iterator[None]:
    """Say what went wrong with a file in one sentence."""
    try:
        yield
    except GGUFError as error:
        raise StoreError(f"{path} is no usable GGUF file: {error}") from error
    except FileNotFoundError:
        raise StoreError(f"{path} does not exist") from None
    except PermissionError:
        raise StoreError(
            f"the appliance's user cannot read {path}; allow it with: chmod a+r '{path}' (and a+x on its folders), "
            "or add it with --copy"
        ) from None
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from error


@contextmanager
def _copy_target(folder: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Yield a file to copy into and its path; it is deleted at the end unless it was renamed.

    Its lock tells the copy of a living process from an abandoned one.
    """
    descriptor, name = tempfile.mkstemp(PARTIAL_SUFFIX, ".incoming-", folder)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield stream, Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _check_space(folder: Path, needed_bytes: int) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if needed_bytes > free_bytes:
        raise StoreError(
            f"the copy needs {needed_bytes / 2**30:.1f} GiB, {free_bytes / 2**30:.1f} GiB are free on the disk of "
            f"{folder}; free some, or add the file in place, without --copy"
        )
