"""How models come into the store: from a path, from a download that was verified, from an upload."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from models.catalogue.licences import ANY
from models.catalogue.licences import check as check_licence
from models.errors import NameTaken, StoreError
from models.finding.found import Found, FoundFile, Origin
from models.finding.gguf_files import find_gguf
from models.finding.projectors import find_fetched, find_with_projector
from models.manifest import (
    FileRole,
    ModelFormat,
    ModelManifest,
    ModelPreset,
    ModelProvenance,
    ProvenanceFile,
)
from models.names import ModelName, name_from_stem
from models.store.intake import AddProgress, Intake, TakenFile, digest_of, stated_digest
from models.store.layout import Layout, blob_file
from models.store.manifest_files import needs_links
from models.store.manifests import key_of
from models.store.name_rules import check_replaceable, check_target, taken_text
from models.workshop import Workshop


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to become of files that are being read."""

    name: ModelName
    now_s: float
    origin: Origin
    is_replacing: bool


class Taking:
    """Takes models in. A manifest is written when everything that it refers to is in its place."""

    def __init__(
        self, layout: Layout, workshops: Mapping[ModelFormat, Workshop], allowed_licences: Sequence[str] = (ANY,)
    ) -> None:
        self._layout = layout
        self._workshops = workshops
        self._allowed_licences = allowed_licences

    def add(
        self, path: Path, name: str | None, copy: bool, now_s: float, origin: Origin, is_replacing: bool
    ) -> Generator[AddProgress, None, ModelManifest]:
        """Read the files of a model at a path and take them in, where they are or as copies."""
        found = find_with_projector(path, self._workshops, origin.projector)
        self._check_licence(found.details.licence)
        parsed = name_from_stem(found.stem) if name is None else ModelName.parse(name)
        check_target(parsed)
        wanted = _Wanted(parsed, now_s, origin, is_replacing)
        self._layout.blobs.prepare()
        intake = Intake(found.files)
        try:
            yield from intake.read(self._layout.blobs.folder if copy else None)
            with self._layout.lock.hold():
                return self._commit(found, intake.taken, wanted)
        finally:
            intake.close()

    def add_fetched(
        self, folder: Path, name: str, provenance: ModelProvenance, now_s: float, preset: ModelPreset | None
    ) -> ModelManifest:
        """Take in files that were verified while they came."""
        parsed = ModelName.parse(name)
        check_target(parsed)
        existing = self._layout.manifests.get(key_of(parsed))
        if existing is not None and self._is_the_same(existing, provenance):
            return existing
        found = find_fetched(folder, [file.name for file in provenance.files], self._workshops)
        self._check_licence(provenance.licence or found.details.licence)
        taken = tuple(_verified(file, folder, provenance) for file in found.files)
        digest = digest_of(taken)
        with self._layout.lock.hold():
            check_replaceable(parsed, self._layout.manifests.get(key_of(parsed)), digest, provenance)
            files = tuple(blob_file(each, self._layout.blobs.share(each.file.path, each.sha256)) for each in taken)
            self._layout.damage.note((), [(file.path, file.sha256) for file in files])
            manifest = found.as_manifest(parsed, digest, files, now_s)
            manifest = msgspec.structs.replace(
                manifest,
                source=provenance.reference,
                provenance=provenance,
                choice=provenance.choice or found.choice,
                preset=preset,
            )
            return self._written(parsed, manifest)

    def add_uploaded(
        self, path: Path, sha256: str, name: ModelName, preset: ModelPreset | None, now_s: float
    ) -> ModelManifest:
        """Take in a file that a client sent, or one more model of a file that is here."""
        found = find_gguf(path)
        self._check_licence(found.details.licence)
        digest = f"sha256:{sha256}"
        with self._layout.lock.hold():
            check_replaceable(name, self._layout.manifests.get(key_of(name)), digest)
            self._layout.blobs.prepare()
            status = path.stat()
            taken = TakenFile(found.files[0], status.st_size, status.st_mtime_ns, sha256, copy=path)
            files = (blob_file(taken, self._layout.blobs.take(path, sha256)),)
            manifest = found.as_manifest(name, digest, files, now_s)
            return self._written(name, msgspec.structs.replace(manifest, source=None, preset=preset))

    def _check_licence(self, licence: str | None) -> None:
        verdict = check_licence(licence, self._allowed_licences)
        if not verdict.is_allowed:
            raise StoreError(f"refused: {verdict.reason}")

    def _is_the_same(self, existing: ModelManifest, provenance: ModelProvenance) -> bool:
        """Tell whether a model is what was fetched, whole and unchanged."""
        before = existing.provenance
        is_same = before is not None and before.files == provenance.files
        return is_same and not self._layout.changed_files(existing)

    def _commit(self, found: Found, taken: Sequence[TakenFile], wanted: _Wanted) -> ModelManifest:
        """Give the copies their names and write the manifest: from here on the model exists."""
        name, digest = wanted.name, digest_of(taken)
        self._layout.damage.note((), [(str(each.file.path), each.sha256) for each in taken])
        existing = self._layout.manifests.get(key_of(name))
        if existing is not None and existing.digest != digest:
            if not wanted.is_replacing:
                # Other than of a download, nothing says of these files that they are meant to follow the others
                raise NameTaken(f"{taken_text(name)}; with --replace, what it means now stays as a version")
            existing = None
        role: FileRole = "adopted" if taken[0].copy is None else "blob"
        if existing is not None and existing.files[0].role == role and not self._layout.changed_files(existing):
            return existing
        files = tuple(map(self._layout.placed, taken))
        self._layout.damage.note((), [(file.path, file.sha256) for file in files])
        known = existing.provenance if existing is not None else None
        manifest = msgspec.structs.replace(
            found.as_manifest(name, digest, files, wanted.now_s),
            preset=wanted.origin.preset,
            made_of=wanted.origin.made_of,
            provenance=known or _completed(wanted.origin.provenance, taken),
        )
        return self._written(name, manifest)

    def _written(self, name: ModelName, manifest: ModelManifest) -> ModelManifest:
        """Make what is made once and then write the manifest; on an error nothing is left of the model."""
        try:
            self._prepare(manifest)
            return self._layout.put(name, manifest)
        except BaseException:
            self._layout.delete_unused()
            raise

    def _prepare(self, manifest: ModelManifest) -> None:
        """Make the links by which files find each other, and what the format's workshop makes."""
        if needs_links(manifest):
            self._layout.links.link(manifest.digest, {str(file.name): Path(file.path) for file in manifest.files})
        if manifest.format in self._workshops:
            opened, compiled = self._layout.opened_path(manifest), self._layout.compiled.path(manifest.digest)
            self._workshops[manifest.format].prepare(opened, compiled)


def _completed(provenance: ModelProvenance | None, taken: Sequence[TakenFile]) -> ModelProvenance | None:
    """Return where a model is from with the digests of its files, of which some caches state some."""
    if provenance is None:
        return None
    files = tuple(
        ProvenanceFile(
            name=each.file.name or each.file.path.name,
            url="",
            sha256=each.sha256,
            is_stated=stated_digest(each.file.path) is not None,
        )
        for each in taken
    )
    return msgspec.structs.replace(provenance, files=files)


def _verified(file: FoundFile, folder: Path, provenance: ModelProvenance) -> TakenFile:
    """Return a file that was fetched and is what its provenance says. Raises: StoreError."""
    path = file.path.resolve()
    for fetched in provenance.files:
        if (folder / fetched.name).resolve() == path:
            status = path.stat()
            return TakenFile(file, status.st_size, status.st_mtime_ns, fetched.sha256, copy=None)
    raise StoreError(f"{file.path} belongs to the model and is not among the files that were fetched")
