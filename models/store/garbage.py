"""Garbage collection: what in the store belongs to no model, named before it is deleted."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from models.fetch.downloads import LOCK_FILE, Downloads
from models.files import delete_durably
from models.manifest import ModelManifest
from models.store.digest_folders import folder_bytes
from models.store.intake import is_abandoned
from models.store.layout import Layout

MAX_IDLE_UPLOAD_S = 86400.0
MAX_IDLE_DOWNLOAD_S = 7 * 86400.0

GarbageKind = Literal["version", "blob", "partial", "upload", "links", "compiled", "download"]


class GarbagePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What garbage collection leaves: so many former versions of each name, and downloads that may go on."""

    keep_versions: int
    keep_downloads: bool = False


class Garbage(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that nothing needs; of a version, the bytes that no other model shares count elsewhere, as blobs."""

    kind: GarbageKind
    name: str
    size_bytes: int


class GarbageReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, and deleted unless it was a dry run.

    While a manifest cannot be read, which may refer to anything, only beginnings and old versions are garbage.
    """

    items: tuple[Garbage, ...]
    num_unreadable: int

    @property
    def num_bytes(self) -> int:
        """Return the bytes of all that was found."""
        return sum(item.size_bytes for item in self.items)


class Collector:
    """Finds garbage and deletes it. What a model or a kept version refers to is never found."""

    def __init__(self, layout: Layout, downloads: Path) -> None:
        self._layout = layout
        self._downloads = downloads

    def collect(self, policy: GarbagePolicy, now_s: float, *, is_dry_run: bool) -> GarbageReport:
        """Return what is garbage now; it is deleted unless this is a dry run. What vanished meanwhile is no error."""
        with self._layout.lock.hold():
            surplus = self._layout.versions.surplus(policy.keep_versions)
            paths = list(self._paths(surplus, policy, now_s))
            items = (*map(_of_version, surplus), *(_of_path(kind, path) for kind, path in paths))
            if not is_dry_run:
                # Versions first: their files are garbage only once nothing refers to them
                for manifest in surplus:
                    self._layout.versions.forget(manifest)
                for kind, path in paths:
                    if kind == "download":
                        Downloads(self._downloads).remove(path.name)
                    else:
                        _delete(path)
            return GarbageReport(items=items, num_unreadable=self._layout.num_unreadable())

    def _paths(
        self, surplus: Iterable[ModelManifest], policy: GarbagePolicy, now_s: float
    ) -> Iterator[tuple[GarbageKind, Path]]:
        layout = self._layout
        used = layout.used(without=surplus)
        if used is not None:
            yield from (("blob", path) for path in layout.blobs.unused(used.blob_names))
            yield from (("links", path) for path in layout.links.unused(used.digests))
            yield from (("compiled", path) for path in layout.compiled.unused(used.digests))
        for partials in (layout.blobs.abandoned(), layout.manifests.partials(), layout.versions.partials()):
            yield from (("partial", path) for path in partials)
        yield from (("upload", path) for path in layout.uploads.unused(now_s - MAX_IDLE_UPLOAD_S))
        if not policy.keep_downloads and self._downloads.is_dir():
            for path in sorted(self._downloads.iterdir()):
                if path.is_dir() and _is_given_up(path, now_s):
                    yield "download", path


def _of_version(manifest: ModelManifest) -> Garbage:
    return Garbage(kind="version", name=f"{manifest.full_name}, version {manifest.version}", size_bytes=0)


def _of_path(kind: GarbageKind, path: Path) -> Garbage:
    return Garbage(kind=kind, name=path.name, size_bytes=folder_bytes(path) if path.is_dir() else path.stat().st_size)


def _is_given_up(download: Path, now_s: float) -> bool:
    """Return whether nobody has a download's folder, and nobody has written to it for long."""
    lock = download / LOCK_FILE
    written_s = max(path.stat().st_mtime for path in (download, *download.rglob("*")))
    return written_s < now_s - MAX_IDLE_DOWNLOAD_S and (not lock.exists() or is_abandoned(lock))


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        delete_durably(path)
