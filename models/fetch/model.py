"""All files of a model from their source into one folder, verified, each byte fetched once."""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit, urlunsplit

from models.errors import StoreError
from models.fetch.connections import Connections
from models.fetch.download import Download
from models.fetch.downloads import Downloads, key_of
from models.fetch.http_file import HeadersFor, HttpFile
from models.fetch.local_file import LocalFile
from models.fetch.partial import DATA_FILE
from models.fetch.rate import Rate
from models.fetch.remote import RemoteBytes
from models.fetch.tuning import Brakes, Tuning
from models.manifest import ModelProvenance, ProvenanceFile
from models.sources.base import RemoteFile, RemoteModel, SourceError


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchProgress:
    """How far a model is. `rate` is in bytes a second; `note` says what the download waits for."""

    file: RemoteFile
    done_bytes: int
    total_bytes: int | None
    rate: float | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchPlan:
    """Where a model's files come from and go to. `blob` finds a file that is in the store already, by its sha256."""

    model: RemoteModel
    headers: HeadersFor
    downloads: Downloads
    folder: Path
    blob: Callable[[str], Path | None]
    tuning: Tuning
    brakes: Brakes
    min_free_bytes: int


def check_room(plan: FetchPlan) -> None:
    """Raise StoreError unless the disk has room for what is missing and for what must stay free."""
    needed_bytes = 0
    for file in plan.model.files:
        if file.size_bytes is not None and (file.sha256 is None or plan.blob(file.sha256) is None):
            here = plan.downloads.root / key_of(file) / DATA_FILE
            needed_bytes += max(0, file.size_bytes - (here.stat().st_blocks * 512 if here.exists() else 0))
    plan.downloads.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    free_bytes = shutil.disk_usage(plan.downloads.root).free
    if needed_bytes and needed_bytes + plan.min_free_bytes > free_bytes:
        kept = f", of which {plan.min_free_bytes / 2**30:.1f} GiB stay free" if plan.min_free_bytes else ""
        raise StoreError(
            f"{plan.model.reference} needs {needed_bytes / 2**30:.1f} GiB; {free_bytes / 2**30:.1f} GiB are free on "
            f"the disk of {plan.downloads.root}{kept}; make room, or choose a smaller quantization"
        )


def fetch_model(plan: FetchPlan, report: Callable[[FetchProgress], None]) -> ModelProvenance:
    """Fetch all files into `plan.folder`, under their names, and return where they are from.

    Raises: SourceError, SourceUnavailable, StoreError.
    """
    connections = Connections(plan.tuning.connect_timeout_s, plan.tuning.stall_timeout_s)
    teller = _Teller(plan.model, report)
    try:
        fetched = {file.name: _fetch(file, plan, connections, teller) for file in _small_first(plan.model.files)}
    finally:
        connections.close()
    return provenance_of(plan.model, tuple(fetched[file.name] for file in plan.model.files))


def provenance_of(model: RemoteModel, files: tuple[ProvenanceFile, ...]) -> ModelProvenance:
    """Return where a model is from that is fetched now."""
    return ModelProvenance(
        kind=model.kind,
        reference=model.reference,
        files=files,
        fetched_s=time.time(),
        publisher=model.publisher,
        revision=model.revision,
        licence=model.licence,
        choice=model.choice,
    )


def _small_first(files: Sequence[RemoteFile]) -> list[RemoteFile]:
    """Return the files so that what is wrong with a model shows before its large ones were fetched."""
    return sorted(files, key=lambda file: file.size_bytes or 0)


def _fetch(file: RemoteFile, plan: FetchPlan, connections: Connections, teller: "_Teller") -> ProvenanceFile:
    target = _target(plan.folder, file.name)
    shown_url = urlunsplit((*urlsplit(file.url)[:3], "", "")) if file.url.startswith("http") else file.url
    blob = None if file.sha256 is None else plan.blob(file.sha256)
    if blob is not None and file.sha256 is not None:
        _link(blob, target)
        teller.finish(file, blob.stat().st_size)
        return ProvenanceFile(name=file.name, url=shown_url, sha256=file.sha256, is_stated=True)
    with plan.downloads.hold(key_of(file), lambda: teller.tell(file, 0, "another download fetches it")) as folder:
        remote: RemoteBytes = (
            LocalFile(file.url) if file.url.startswith("file:") else HttpFile(connections, file.url, plan.headers)
        )
        download = Download(file, remote, folder, plan.tuning, plan.brakes)
        state = download.run(lambda done_bytes, note: teller.tell(file, done_bytes, note))
        assert state.sha256 is not None, "a download that ends is verified"
        _link(download.path, target)
    teller.finish(file, state.size_bytes)
    is_stated = file.sha256 is not None
    return ProvenanceFile(name=file.name, url=shown_url, sha256=state.sha256, is_stated=is_stated)


def _target(folder: Path, name: str) -> Path:
    """Return where a file goes. Raises: SourceError, for a name that leads out of the folder."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\0" in name or "\\" in name:
        raise SourceError(f"the source names a file {name!r}, which is no name for one")
    return folder.joinpath(*parts)


def _link(path: Path, target: Path) -> None:
    """Let a file have one more name; where the file system knows no such thing, a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)


class _Teller:
    """Turns the progress of each file into that of the model."""

    def __init__(self, model: RemoteModel, report: Callable[[FetchProgress], None]) -> None:
        self._total_bytes = model.size_bytes
        self._report = report
        self._finished_bytes = 0
        self._rate = Rate()

    def tell(self, file: RemoteFile, done_bytes: int, note: str | None) -> None:
        done_bytes += self._finished_bytes
        rate = self._rate.add(time.monotonic(), done_bytes)
        self._report(
            FetchProgress(
                file=file,
                done_bytes=done_bytes,
                total_bytes=self._total_bytes,
                rate=rate,
                note=note,
            )
        )

    def finish(self, file: RemoteFile, size_bytes: int) -> None:
        self.tell(file, size_bytes, None)
        self._finished_bytes += size_bytes
