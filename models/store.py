"""The models of this machine: which there are, taking one in, giving one up.

Layout under the root: `models/manifests/` (one JSON file for each name and tag), `models/blobs/` (copies, named by
their digest), `models/folders/` (links to copies under the names they have in their model), `models/uploads/` (files
that no model was made of yet), `compiled/` (what is made of a model once) and `models/.lock`, which whoever changes
something holds.
"""

import builtins
import fcntl
import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from models.digest_folders import DigestFolders
from models.embedded import EMBEDDED_NAME, embedded_manifest
from models.errors import NameTaken, StoreError, UnknownModel, file_errors
from models.files import PARTIAL_SUFFIX, delete_durably, replace_atomically, sync_folder
from models.found import Found, FoundFile
from models.gguf_files import find_gguf
from models.intake import AddProgress, Intake, TakenFile, digest_of, is_abandoned
from models.manifest import FileRole, ManifestFile, ModelFormat, ModelManifest, ModelPreset
from models.manifests import ManifestFolder
from models.names import InvalidModelName, ModelName, name_from_stem
from models.onnx_folder import find_onnx
from models.uploads import Uploads
from models.workshop import Workshop

# The same for every copy: a model that shares a file with a later one finds it unchanged.
_BLOB_MTIME_NS = 0


class ModelStore:
    """Owns `models/` and `compiled/` under the root. Reading needs no lock; each change takes it for a moment.

    `workshops` know the formats that are not read here; without one, models of its format cannot be taken in.
    """

    def __init__(self, root: Path, workshops: Mapping[ModelFormat, Workshop] | None = None) -> None:
        self._workshops = workshops or {}
        self._folder = root / "models"
        self._links = DigestFolders(self._folder / "folders")
        self._compiled = DigestFolders(root / "compiled")
        self._blobs = self._folder / "blobs"
        self.uploads = Uploads(self._folder / "uploads")
        self._manifests = ManifestFolder(self._folder / "manifests")

    def list(self) -> builtins.list[ModelManifest]:
        """Return the embedded model and then all others by name."""
        return [embedded_manifest(), *self._manifests.read_all()[0]]

    def get(self, name: str) -> ModelManifest | None:
        """Return the model of that name and tag, None when there is none (also when the name is not valid)."""
        try:
            parsed = ModelName.parse(name)
        except InvalidModelName:
            return None
        embedded = embedded_manifest()
        if (parsed.repository, parsed.tag) == (embedded.name, embedded.tag):
            return embedded
        return self._manifests.get(parsed)

    def add(
        self, path: Path, name: str | None, copy: bool, now_s: float
    ) -> Generator[AddProgress, None, ModelManifest]:
        """Take a model in, yielding progress; the generator's return value is the manifest.

        Without `copy` the file stays where it is and is only remembered. A model that is there already, unchanged and
        under the same name, is returned as it is. Raises: StoreError, InvalidModelName.
        """
        found = self._find(path)
        parsed = name_from_stem(found.stem) if name is None else ModelName.parse(name)
        _check_target(parsed)
        self._blobs.mkdir(parents=True, exist_ok=True)
        intake = Intake(found)
        try:
            yield from intake.read(self._blobs if copy else None)
            with self._lock():
                return self._commit(intake, parsed, "blob" if copy else "adopted", now_s)
        finally:
            intake.close()

    def derive(self, source: str, target: str, preset: ModelPreset | None, now_s: float) -> ModelManifest:
        """Give a model's files one more name, with what it begins with. What was made so before is replaced.

        Raises: StoreError, InvalidModelName.
        """
        name = ModelName.parse(target)
        _check_target(name)
        with self._lock():
            manifest = self.get(source)
            if manifest is None:
                raise UnknownModel(f"no model is called {source!r}; see: appliance models list")
            self._check_replaceable(name, manifest.digest)
            files = tuple(self._lasting(file) for file in manifest.files)
            derived = msgspec.structs.replace(
                manifest, name=name.repository, tag=name.tag, files=files, added_s=now_s, preset=preset
            )
            self._manifests.write(name, derived)
            self._delete_unused()
            return derived

    def add_uploaded(self, sha256: str, target: str, preset: ModelPreset | None, now_s: float) -> ModelManifest:
        """Make a model of a GGUF file that was uploaded, or of one that is here under that digest already.

        Raises: StoreError, InvalidModelName.
        """
        name = ModelName.parse(target)
        _check_target(name)
        path = self.uploaded_path(sha256)
        if path is None:
            raise StoreError(f"no file with the digest sha256:{sha256} was uploaded; POST it to /api/blobs first")
        found = find_gguf(path)
        with self._lock():
            self._check_replaceable(name, f"sha256:{sha256}")
            self._blobs.mkdir(parents=True, exist_ok=True)
            status = path.stat()
            taken = TakenFile(FoundFile(path), status.st_size, status.st_mtime_ns, sha256, copy=path)
            manifest = found.as_manifest(name, f"sha256:{sha256}", (self._placed(taken, "blob"),), now_s)
            manifest = msgspec.structs.replace(manifest, source=None, preset=preset)
            self._manifests.write(name, manifest)
            self._delete_unused()
            return manifest

    def uploaded_path(self, sha256: str) -> Path | None:
        """Return the file of that digest: one that was uploaded, or a model's copy."""
        blob = self._blobs / f"sha256-{sha256}"
        return self.uploads.find(sha256) or (blob if blob.is_file() else None)

    def remove(self, name: str) -> int:
        """Forget a model and return the bytes that this freed; an adopted file is not touched. Raises: StoreError."""
        with self._lock():
            parsed = ModelName.parse(name)
            manifest = None if parsed.adapters or parsed.variant else self.get(name)
            if manifest is None:
                raise UnknownModel(f"no model is called {name!r}; see: appliance models list")
            if manifest is embedded_manifest():
                raise StoreError(f"{EMBEDDED_NAME!r} is part of the appliance and cannot be removed")
            self._manifests.delete(parsed)
            return self._delete_unused()

    def clean(self) -> int:
        """Delete what killed processes left in the store and return the bytes freed. The daemon's, at its start."""
        with self._lock():
            partials = [path for path in self._blobs.glob(f".*{PARTIAL_SUFFIX}") if is_abandoned(path)]
            freed_bytes = sum(path.stat().st_size for path in partials)
            for path in partials:
                path.unlink()
            return freed_bytes + self.uploads.clean() + self._delete_unused()

    def opened_path(self, manifest: ModelManifest) -> Path:
        """Return the file that a backend opens; its neighbours lie beside it under their own names."""
        first = manifest.files[0]
        is_copied_folder = first.role == "blob" and first.name is not None
        return self._links.path(manifest.digest) / str(first.name) if is_copied_folder else Path(first.path)

    def compiled_path(self, manifest: ModelManifest) -> Path:
        """Return the folder for what is made of the model once."""
        return self._compiled.path(manifest.digest)

    def changed_files(self, manifest: ModelManifest) -> builtins.list[str]:
        """Return a sentence for each file that is not what it was when the model was added."""
        return [sentence for file in manifest.files if (sentence := _change(file))]

    def _find(self, path: Path) -> Found:
        with file_errors(path):  # the folders above it may be closed to us
            is_graph = path.is_dir() or path.suffix.lower() == ".onnx"
        return find_onnx(path, self._workshops.get("onnx")) if is_graph else find_gguf(path)

    def _commit(self, intake: Intake, name: ModelName, role: FileRole, now_s: float) -> ModelManifest:
        """Give the copies their names and write the manifest: from here on the model exists."""
        found = intake.found
        digest = digest_of(intake.taken)
        existing = self._manifests.get(name)
        if existing is not None and existing.digest != digest:
            raise _taken(name)
        if existing is not None and existing.files[0].role == role and not self.changed_files(existing):
            return existing
        files = tuple(self._placed(file, role) for file in intake.taken)
        manifest = found.as_manifest(name, digest, files, now_s)
        try:
            self._prepare(manifest)
            self._manifests.write(name, manifest)
        except BaseException:
            self._delete_unused()
            raise
        return manifest

    def _prepare(self, manifest: ModelManifest) -> None:
        """Make what is made once: the links by which copies find each other, and what the format's workshop makes."""
        first = manifest.files[0]
        if first.role == "blob" and first.name is not None:
            self._links.link(manifest.digest, {str(file.name): Path(file.path) for file in manifest.files})
        if manifest.format in self._workshops:
            self._workshops[manifest.format].prepare(self.opened_path(manifest), self.compiled_path(manifest))

    def _placed(self, file: TakenFile, role: FileRole) -> ManifestFile:
        path, mtime_ns = file.file.path, file.mtime_ns
        if file.copy is not None:
            path = self._blobs / f"sha256-{file.sha256}"
            os.utime(file.copy, ns=(_BLOB_MTIME_NS, _BLOB_MTIME_NS))
            file.copy.replace(path)
            sync_folder(self._blobs)
            mtime_ns = path.stat().st_mtime_ns
        return ManifestFile(
            path=str(path),
            size_bytes=file.size_bytes,
            sha256=file.sha256,
            mtime_ns=mtime_ns,
            role=role,
            name=file.file.name,
        )

    def _check_replaceable(self, name: ModelName, digest: str) -> None:
        """Let a name be given again to the same files, or taken from a model that was only made of another."""
        existing = self._manifests.get(name)
        if existing is not None and existing.digest != digest and existing.preset is None:
            raise _taken(name)

    def _lasting(self, file: ManifestFile) -> ManifestFile:
        """Return the file itself, or a copy of the embedded one, which changes with the appliance."""
        if file.role != "embedded":
            return file
        path = self._blobs / f"sha256-{file.sha256}"
        self._blobs.mkdir(parents=True, exist_ok=True)
        with replace_atomically(path) as stream:
            stream.write(Path(file.path).read_bytes())
        os.utime(path, ns=(_BLOB_MTIME_NS, _BLOB_MTIME_NS))
        return msgspec.structs.replace(file, path=str(path), role="blob", mtime_ns=path.stat().st_mtime_ns)

    def _delete_unused(self) -> int:
        """Delete what belongs to no model and return the bytes freed.

        A manifest that cannot be read may refer to any blob, so while there is one nothing is deleted.
        """
        manifests, num_damaged = self._manifests.read_all()
        if num_damaged:
            return 0
        used = {Path(file.path).name for manifest in manifests for file in manifest.files}
        unused = [path for path in self._blobs.glob("sha256-*") if path.name not in used]
        freed_bytes = sum(path.stat().st_size for path in unused)
        for path in unused:
            delete_durably(path)
        digests = {embedded_manifest().digest, *(manifest.digest for manifest in manifests)}
        return freed_bytes + self._links.keep_only(digests) + self._compiled.keep_only(digests)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield


def _check_target(name: ModelName) -> None:
    """Raise InvalidModelName or NameTaken for a name that no model can be added under."""
    if name.adapters or name.variant:
        raise InvalidModelName(f"{str(name)!r}: a model is added under [publisher/]name[:tag] alone")
    if name.repository == EMBEDDED_NAME:
        raise NameTaken(f"{EMBEDDED_NAME!r} is the embedded model; choose another name with --name NAME")


def _taken(name: ModelName) -> NameTaken:
    return NameTaken(
        f"another model is called '{name}'; remove it first (appliance models rm {name}) "
        f"or choose a tag (--name {name.repository}:TAG)"
    )


def _change(file: ManifestFile) -> str | None:
    try:
        status = Path(file.path).stat()
    except OSError as error:
        return f"{file.path}: {error.strerror or error}"
    if status.st_size != file.size_bytes:
        return f"{file.path}: had {file.size_bytes} bytes when it was added, has {status.st_size}"
    if status.st_mtime_ns != file.mtime_ns and file.role != "embedded":
        return f"{file.path}: was written to after it was added"
    return None
