"""Take in the files of a model: hash them and, when asked, copy them."""

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from models.errors import StoreError, file_errors
from models.files import PARTIAL_SUFFIX
from models.finding.found import FoundFile
from models.store.reading import read_chunks

_NAMED_BY_DIGEST = re.compile(r"(?:sha256-)?([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class AddProgress:
    """How far the reading of a model is."""

    done_bytes: int
    total_bytes: int
    text: str


@dataclass(frozen=True, slots=True)
class TakenFile:
    """A file that was read whole, and where its copy waits for its name, if one was made."""

    file: FoundFile
    size_bytes: int
    mtime_ns: int
    sha256: str
    copy: Path | None


@dataclass(slots=True)
class Intake:
    """The files of one model on their way in."""

    files: Sequence[FoundFile]
    taken: list[TakenFile] = field(default_factory=list)
    _copies: ExitStack = field(default_factory=ExitStack)

    def read(self, copies: Path | None) -> Generator[AddProgress, None, None]:
        """Hash each file, and copy it into the folder `copies` in the same pass. Raises: StoreError.

        The copies are held open, and so locked against `is_abandoned`, until `close`.
        """
        with file_errors(self.files[0].path):
            total_bytes = sum(file.path.stat().st_size for file in self.files)
        if copies is not None:
            _check_space(copies, total_bytes)
        done_bytes = 0
        for file in self.files:
            path = file.path
            with file_errors(path), path.open("rb", buffering=0) as source, closing(read_chunks(source)) as chunks:
                target, copy = self._copies.enter_context(_copy_target(copies)) if copies else (None, None)
                before = os.fstat(source.fileno())
                digest = hashlib.sha256()
                for chunk in chunks:
                    digest.update(chunk)
                    if target is not None:
                        target.write(chunk)
                    done_bytes += len(chunk)
                    yield AddProgress(done_bytes, total_bytes, path.name)
                after = path.stat()
                if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                    raise StoreError(f"{path} changed while it was read; add it again once it is complete")
                _check_name(path, digest.hexdigest())
                if target is not None:
                    target.flush()
                    os.fsync(target.fileno())
                self.taken.append(TakenFile(file, after.st_size, after.st_mtime_ns, digest.hexdigest(), copy))

    def close(self) -> None:
        """Delete the copies that were not given a name."""
        self._copies.close()


def digest_of(files: Sequence[TakenFile]) -> str:
    """Return the file's own digest; of several files, the digest of their digests in order."""
    if len(files) == 1:
        return f"sha256:{files[0].sha256}"
    return "sha256:" + hashlib.sha256("\n".join(file.sha256 for file in files).encode()).hexdigest()


def stated_digest(path: Path) -> str | None:
    """Return the sha256 that a file is named by, as caches do it that keep files by their content; else None."""
    match = _NAMED_BY_DIGEST.fullmatch(path.resolve().name)
    return match[1] if match else None


def _check_name(path: Path, sha256: str) -> None:
    """Refuse a file whose name says that it had other content once."""
    stated = stated_digest(path)
    if stated is not None and stated != sha256:
        raise StoreError(
            f"{path} is damaged: it is named by the digest {stated[:12]}…, and its content has {sha256[:12]}…; fetch "
            "it again with the program that it belongs to"
        )


def is_abandoned(partial: Path) -> bool:
    """Tell whether no living process is writing this copy."""
    try:
        with partial.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


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
