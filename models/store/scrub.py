"""Read installed models again from the disk and compare them with the digests that they were taken in with."""

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from models.manifest import ManifestFile, ModelManifest
from models.store.damage import DamagedFile
from models.store.manifest_files import change_of
from models.store.reading import read_chunks
from models.store.remedy import remedy

Progress = Callable[[str, int, int], None]
"""`(text, done_bytes, total_bytes)`."""


class HurtModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that is not what it was, why, and what mends it."""

    name: str
    problems: tuple[str, ...]
    remedy: str


class ScrubReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a scrub has read and found; `sound` and `damaged` are for the store's notes."""

    num_models: int
    num_files: int
    num_bytes: int
    hurt: tuple[HurtModel, ...]
    damaged: tuple[DamagedFile, ...]
    sound: tuple[tuple[str, str], ...]


def scrub(
    manifests: Sequence[ModelManifest], max_bytes_per_s: float | None, progress: Progress, now_s: float
) -> ScrubReport:
    """Read each file of the models once. Nothing is changed."""
    files = {file.path: file for manifest in manifests for file in manifest.files}
    names = {file.path: manifest.name for manifest in reversed(manifests) for file in manifest.files}
    total_bytes = sum(file.size_bytes for file in files.values())
    pace = _Pace(max_bytes_per_s, total_bytes, progress)
    problems: dict[str, str] = {}
    damaged: list[DamagedFile] = []
    for path, file in files.items():
        outcome = change_of(file) or _read(file, names[path], pace, now_s)
        if isinstance(outcome, DamagedFile):
            damaged.append(outcome)
            problems[path] = f"{path}: {outcome.problem}"
        elif outcome is not None:
            problems[path] = outcome
    return ScrubReport(
        num_models=len(manifests),
        num_files=len(files),
        num_bytes=pace.done_bytes,
        hurt=tuple(hurt for manifest in manifests if (hurt := _hurt(manifest, problems))),
        damaged=tuple(damaged),
        sound=tuple((path, file.sha256) for path, file in files.items() if path not in problems),
    )


class _Pace:
    """Counts the bytes that were read, tells about them, and waits where more than allowed came."""

    def __init__(self, max_bytes_per_s: float | None, total_bytes: int, progress: Progress) -> None:
        self._max_bytes_per_s = max_bytes_per_s
        self._total_bytes = total_bytes
        self._progress = progress
        self._began_s = time.monotonic()
        self.done_bytes = 0

    def count(self, num_bytes: int, text: str) -> None:
        """Note bytes that were read."""
        self.done_bytes += num_bytes
        self._progress(text, self.done_bytes, self._total_bytes)
        if self._max_bytes_per_s is not None:
            ahead_s = self.done_bytes / self._max_bytes_per_s - (time.monotonic() - self._began_s)
            if ahead_s > 0:
                time.sleep(ahead_s)


def _read(file: ManifestFile, name: str, pace: _Pace, now_s: float) -> DamagedFile | str | None:
    """Return what is wrong with a file's content, None where it is what it was."""
    path = Path(file.path)
    try:
        with path.open("rb", buffering=0) as stream, closing(read_chunks(stream, from_disk=True)) as chunks:
            digest = hashlib.sha256()
            for chunk in chunks:
                digest.update(chunk)
                pace.count(len(chunk), name)
            status = os.fstat(stream.fileno())
    except OSError as error:
        return f"{path}: cannot be read: {error.strerror or error}"
    if digest.hexdigest() == file.sha256:
        return None
    if changed := change_of(file):
        return changed
    return DamagedFile(
        path=file.path,
        sha256=file.sha256,
        problem=f"its content is no longer what was added, though nobody wrote to it (sha256 {digest.hexdigest()})",
        found_s=now_s,
        size_bytes=status.st_size,
        mtime_ns=status.st_mtime_ns,
        inode=status.st_ino,
    )


def _hurt(manifest: ModelManifest, problems: dict[str, str]) -> HurtModel | None:
    found = tuple(problems[file.path] for file in manifest.files if file.path in problems)
    if not found:
        return None
    name = str(manifest.full_name)
    return HurtModel(name=name, problems=found, remedy=remedy(manifest, name))
