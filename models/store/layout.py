"""The folders of the store, and what in them belongs to a model.

Under the root: `models/manifests/` (a JSON file for each name and tag), `models/versions/` (what names meant before),
`models/blobs/` (copies, named by their digest), `models/folders/` (links to files under the names they have in their
model), `models/uploads/` (files that no model was made of yet), `models/adapters/` (a JSON file for each adapter),
`compiled/` (what is made of a model once), `downloads/` (what is not whole yet) and `models/.lock`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from models.embedded import embedded_manifest
from models.manifest import AdapterManifest, ManifestFile, ModelManifest
from models.names import ModelName
from models.store.blobs import Blobs
from models.store.damage import DamageNotes
from models.store.digest_folders import DigestFolders, folder_bytes
from models.store.intake import TakenFile
from models.store.lock import StoreLock
from models.store.manifest_files import changed_files, needs_links
from models.store.manifests import ManifestFolder, key_of, model_manifests
from models.store.uploads import Uploads
from models.store.versions import FormerVersions


@dataclass(frozen=True, slots=True)
class Used:
    """The files in `blobs/` and the digests of models that something refers to."""

    blob_names: frozenset[str]
    digests: frozenset[str]


class Layout:
    """The parts of one store. Reading needs no lock; each change holds it."""

    def __init__(self, root: Path) -> None:
        folder = root / "models"
        self.lock = StoreLock(folder)
        self.manifests = model_manifests(folder / "manifests")
        self.adapters = ManifestFolder(folder / "adapters", AdapterManifest, lambda manifest: (manifest.name,))
        self.versions = FormerVersions(folder / "versions")
        self.blobs = Blobs(folder / "blobs")
        self.links = DigestFolders(folder / "folders")
        self.uploads = Uploads(folder / "uploads")
        self.damage = DamageNotes(folder / "damaged.json")
        self.compiled = DigestFolders(root / "compiled")

    def opened_path(self, manifest: ModelManifest) -> Path:
        """Return the file that a backend opens; its neighbours lie beside it under their own names."""
        first = manifest.files[0]
        return self.links.path(manifest.digest) / str(first.name) if needs_links(manifest) else Path(first.path)

    def changed_files(self, manifest: ModelManifest) -> list[str]:
        """Return a sentence for each file that is not what it was when the model was added."""
        return changed_files(manifest) + self.damage.sentences(manifest)

    def num_unreadable(self) -> int:
        """Return how many manifests cannot be read."""
        return self.manifests.read_all()[1] + self.versions.read_all()[1] + self.adapters.read_all()[1]

    def used(self, without: Iterable[ModelManifest] = (), *, removed: ModelManifest | None = None) -> Used | None:
        """Return what must stay, not counting some versions; None where a manifest may refer to anything.

        `removed` is a current manifest that does not count either.
        """
        if self.num_unreadable():
            return None
        left_out = list(without)
        current = [manifest for manifest in self.manifests.read_all()[0] if manifest != removed]
        former = [manifest for manifest in self.versions.read_all()[0] if manifest not in left_out]
        manifests = [embedded_manifest(), *current, *former]
        files = [file for manifest in manifests for file in manifest.files]
        adapters = self.adapters.read_all()[0]
        files += [file for adapter in adapters for file in adapter.files]
        names = frozenset(Path(file.path).name for file in files if file.role == "blob")
        digests = {manifest.digest for manifest in manifests} | {adapter.digest for adapter in adapters}
        return Used(names, frozenset(digests))

    def delete_unused(self) -> int:
        """Delete what belongs to no model and return the bytes freed."""
        used = self.used()
        if used is None:
            return 0
        unused = self.blobs.unused(used.blob_names)
        freed_bytes = sum(path.stat().st_size for path in unused)
        for path in unused:
            self.blobs.delete(path)
        return freed_bytes + self.links.keep_only(used.digests) + self.compiled.keep_only(used.digests)

    def unused_bytes(self, used: Used | None) -> int:
        """Return what `delete_unused` would free if that were all that is used."""
        if used is None:
            return 0
        folders = self.links.unused(used.digests) + self.compiled.unused(used.digests)
        return sum(path.stat().st_size for path in self.blobs.unused(used.blob_names)) + sum(map(folder_bytes, folders))

    def placed(self, taken: TakenFile) -> ManifestFile:
        """Return a file that was read whole: its copy, which becomes a blob here, else where it is."""
        if taken.copy is not None:
            return blob_file(taken, self.blobs.take(taken.copy, taken.sha256))
        return ManifestFile(
            path=str(taken.file.path),
            size_bytes=taken.size_bytes,
            sha256=taken.sha256,
            mtime_ns=taken.mtime_ns,
            role="adopted",
            name=taken.file.name,
            is_projector=taken.file.is_projector,
        )

    def put(self, name: ModelName, manifest: ModelManifest) -> ModelManifest:
        """Let a name mean a model and return its manifest, numbered; what it meant before stays as a version.

        The former version is on the disk before the name changes: whoever is killed in between loses neither.
        """
        key = key_of(name)
        before = self.manifests.get(key)
        number, former = (1, []) if before is None else (before.version, self.versions.of(name))
        if before is not None and before.digest != manifest.digest:
            number = 1 + max(each.version for each in (before, *former))
            self.versions.keep(before)
        numbered = msgspec.structs.replace(manifest, version=number)
        self.manifests.write(key, numbered)
        for each in former:
            if each.digest == manifest.digest:
                self.versions.forget(each)  # it is the current one again
        return numbered


def blob_file(taken: TakenFile, blob: Path) -> ManifestFile:
    """Return a file of a model that lies among the blobs."""
    return ManifestFile(
        path=str(blob),
        size_bytes=taken.size_bytes,
        sha256=taken.sha256,
        mtime_ns=blob.stat().st_mtime_ns,
        role="blob",
        name=taken.file.name,
        is_projector=taken.file.is_projector,
    )
