"""The models of this machine: which there are, taking one in, giving it names, giving one up."""

import builtins
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

from models.catalogue.licences import ANY
from models.embedded import EMBEDDED_NAME, embedded_manifest
from models.errors import StoreError
from models.finding.found import NOTHING_KNOWN, Origin
from models.manifest import ModelFormat, ModelManifest, ModelPreset, ModelProvenance
from models.names import ModelName
from models.store.adapters import Adapters
from models.store.garbage import Collector, GarbagePolicy, GarbageReport
from models.store.intake import AddProgress
from models.store.integrity import contradictions
from models.store.layout import Layout
from models.store.manifests import key_of
from models.store.name_rules import check_replaceable, check_target
from models.store.naming import Naming
from models.store.scrub import ScrubReport
from models.store.taking import Taking
from models.workshop import Workshop


class ModelStore:
    """Owns `models/` and `compiled/` under the root. Reading needs no lock; each change takes it for a moment.

    `workshops` know the formats that are not read here; without one, models of its format cannot be taken in.
    """

    def __init__(
        self,
        root: Path,
        workshops: Mapping[ModelFormat, Workshop] | None = None,
        allowed_licences: Sequence[str] = (ANY,),
    ) -> None:
        self._layout = Layout(root)
        self._naming = Naming(self._layout)
        self._collector = Collector(self._layout, root / "downloads")
        self._taking = Taking(self._layout, workshops or {}, allowed_licences)
        self.uploads = self._layout.uploads
        self.adapters = Adapters(self._layout)

    def list(self) -> builtins.list[ModelManifest]:
        """Return the embedded model and then all others by name."""
        return [embedded_manifest(), *self._layout.manifests.read_all()[0]]

    def get(self, name: str) -> ModelManifest | None:
        """Return the model of that name and tag, None when there is none (also when the name is not valid)."""
        return self._naming.get(name)

    def add(
        self,
        path: Path,
        name: str | None,
        copy: bool,
        now_s: float,
        origin: Origin = NOTHING_KNOWN,
        is_replacing: bool = False,
    ) -> Generator[AddProgress, None, ModelManifest]:
        """Take a model in, yielding progress; the generator's return value is the manifest.

        Without `copy` the file stays where it is and is only remembered. A model that is there already, unchanged and
        under the same name, is returned as it is. What the name of another model meant stays as a version where this
        one is to replace it. Raises: StoreError, InvalidModelName.
        """
        return self._taking.add(path, name, copy, now_s, origin, is_replacing)

    def add_fetched(
        self, folder: Path, name: str, provenance: ModelProvenance, now_s: float, preset: ModelPreset | None = None
    ) -> ModelManifest:
        """Take in files that were verified while they came; they are not read again.

        They lie in `folder`, on the store's file system, under the names that the provenance has for them, and may be
        deleted there once this returns. What the name meant before, if it came from the same origin, stays as a
        version. May be repeated, also after a kill at any moment. Raises: StoreError, InvalidModelName.
        """
        return self._taking.add_fetched(folder, name, provenance, now_s, preset)

    def check_fetchable(self, name: str, provenance: ModelProvenance) -> None:
        """Raise what `add_fetched` would raise because of the name, before anything is fetched."""
        parsed = ModelName.parse(name)
        check_target(parsed)
        check_replaceable(parsed, self._layout.manifests.get(key_of(parsed)), None, provenance)

    def add_uploaded(self, sha256: str, target: str, preset: ModelPreset | None, now_s: float) -> ModelManifest:
        """Make a model of a GGUF file that was uploaded, or of one that is here under that digest already.

        Raises: StoreError, InvalidModelName.
        """
        name = ModelName.parse(target)
        check_target(name)
        path = self.uploaded_path(sha256)
        if path is None:
            raise StoreError(f"no file with the digest sha256:{sha256} was uploaded; POST it to /api/blobs first")
        return self._taking.add_uploaded(path, sha256, name, preset, now_s)

    def uploaded_path(self, sha256: str) -> Path | None:
        """Return the file of that digest: one that was uploaded, or a model's copy."""
        return self.uploads.find(sha256) or self._layout.blobs.find(sha256)

    def derive(self, source: str, target: str, preset: ModelPreset | None, now_s: float) -> ModelManifest:
        """Give a model's files one more name, with what it begins with. A name that was given so before is replaced.

        Raises: StoreError, InvalidModelName.
        """
        return self._naming.derive(source, target, preset, now_s)

    def alias(self, source: str, target: str, now_s: float) -> ModelManifest:
        """Let a name mean what another means now, whatever that one means later. An alias may be given again.

        Raises: StoreError, InvalidModelName.
        """
        return self._naming.alias(source, target, now_s)

    def versions(self, name: str) -> builtins.list[ModelManifest]:
        """Return what a name means and has meant, the newest first. Raises: UnknownModel."""
        return self._naming.versions(name)

    def rollback(self, name: str, number: int | None = None) -> ModelManifest:
        """Let a name mean again what it meant before: the version of that number, else the one before the current.

        Raises: StoreError.
        """
        return self._naming.rollback(name, number)

    def remove(self, name: str) -> int:
        """Forget a model and return the bytes that this freed; an adopted file is not touched. Raises: StoreError."""
        with self._layout.lock.hold():
            parsed = ModelName.parse(name)
            self._removable(name)
            for version in self._layout.versions.of(parsed):
                self._layout.versions.forget(version)
            self._layout.manifests.delete(key_of(parsed))
            return self._layout.delete_unused()

    def removable_bytes(self, name: str) -> int:
        """Return what `remove` would free now. Raises: StoreError, as it does."""
        parsed = ModelName.parse(name)
        removed = self._removable(name)
        return self._layout.unused_bytes(self._layout.used(self._layout.versions.of(parsed), removed=removed))

    def _removable(self, name: str) -> ModelManifest:
        manifest = self._naming.known(name)
        if manifest is embedded_manifest():
            raise StoreError(f"{EMBEDDED_NAME!r} is part of the appliance and cannot be removed")
        return manifest

    def collect_garbage(self, policy: GarbagePolicy, now_s: float, *, is_dry_run: bool) -> GarbageReport:
        """Delete what belongs to no model, and versions that are too many; in a dry run only say what that is."""
        return self._collector.collect(policy, now_s, is_dry_run=is_dry_run)

    def note_scrub(self, report: ScrubReport) -> None:
        """Remember what a scrub found, so that a damaged model is not loaded before it is whole again."""
        with self._layout.lock.hold():
            self._layout.damage.note(report.damaged, report.sound)

    def check_integrity(self) -> builtins.list[str]:
        """Return a sentence for everything in the store that contradicts something else; nothing in a sound one."""
        return contradictions(self._layout)

    def clean(self) -> int:
        """Delete what killed processes left in the store and return the bytes freed. The daemon's, at its start."""
        with self._layout.lock.hold():
            partials = self._layout.blobs.abandoned()
            freed_bytes = sum(path.stat().st_size for path in partials)
            for path in partials:
                path.unlink()
            return freed_bytes + self.uploads.clean() + self._layout.delete_unused()

    def opened_path(self, manifest: ModelManifest) -> Path:
        """Return the file that a backend opens; its neighbours lie beside it under their own names."""
        return self._layout.opened_path(manifest)

    def compiled_path(self, manifest: ModelManifest) -> Path:
        """Return the folder for what is made of the model once."""
        return self._layout.compiled.path(manifest.digest)

    def changed_files(self, manifest: ModelManifest) -> builtins.list[str]:
        """Return a sentence for each file that is not what it was when the model was added."""
        return self._layout.changed_files(manifest)
