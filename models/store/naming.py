"""The names of models: one more for the same files, what a name meant before, and going back to that."""

from pathlib import Path

import msgspec

from models.embedded import embedded_manifest
from models.errors import StoreError, UnknownModel
from models.manifest import ManifestFile, ModelManifest, ModelPreset
from models.names import InvalidModelName, ModelName
from models.store.layout import Layout
from models.store.manifests import key_of
from models.store.name_rules import check_replaceable, check_target


class Naming:
    """Gives, looks up and changes names. Files stay where they are."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def get(self, name: str) -> ModelManifest | None:
        """Return the model of that name and tag, None when there is none (also when the name is not valid)."""
        try:
            parsed = ModelName.parse(name)
        except InvalidModelName:
            return None
        embedded = embedded_manifest()
        if (parsed.repository, parsed.tag) == (embedded.name, embedded.tag):
            return embedded
        return self._layout.manifests.get(key_of(parsed))

    def known(self, name: str) -> ModelManifest:
        """Return the model of that name. Raises: UnknownModel, also for one with adapters or a variant."""
        parsed = ModelName.parse(name)
        manifest = None if parsed.adapters or parsed.variant else self.get(name)
        if manifest is None:
            raise UnknownModel(f"no model is called {name!r}; see: appliance models list")
        return manifest

    def derive(self, source: str, target: str, preset: ModelPreset | None, now_s: float) -> ModelManifest:
        """Give a model's files one more name, with what it begins with."""
        name = ModelName.parse(target)
        check_target(name)
        with self._layout.lock.hold():
            return self._give(name, msgspec.structs.replace(self.known(source), preset=preset, alias_of=None), now_s)

    def alias(self, source: str, target: str, now_s: float) -> ModelManifest:
        """Let a name mean what another means now; it stays there when the other changes."""
        name = ModelName.parse(target)
        check_target(name)
        with self._layout.lock.hold():
            manifest = self.known(source)
            of = str(manifest.full_name)
            if of == str(name):
                raise InvalidModelName(f"'{name}' is the name of the model itself; give another one")
            return self._give(name, msgspec.structs.replace(manifest, alias_of=of), now_s)

    def versions(self, name: str) -> list[ModelManifest]:
        """Return what a name means and has meant, the newest first. The current one is `known(name)`."""
        current = self.known(name)
        former = self._layout.versions.of(ModelName.parse(name))
        others = [each for each in former if each.version != current.version]
        return sorted((current, *others), key=lambda manifest: manifest.version, reverse=True)

    def rollback(self, name: str, number: int | None) -> ModelManifest:
        """Let a name mean again what it meant before: the version of that number, else the one before the current.

        The former version is on the disk before the name changes, and forgotten after: whoever is killed in between
        loses neither.
        """
        parsed = ModelName.parse(name)
        with self._layout.lock.hold():
            current, *_ = before = self._with_current_first(name)
            target = _chosen(name, before, number)
            if target.version != current.version:
                if problems := self._layout.changed_files(target):
                    raise StoreError(f"version {target.version} of {name!r} cannot be used: {'; '.join(problems)}")
                self._layout.versions.keep(current)
                self._layout.manifests.write(key_of(parsed), target)
            self._layout.versions.forget(target)
            return target

    def _with_current_first(self, name: str) -> list[ModelManifest]:
        current = self.known(name)
        return [current, *(each for each in self.versions(name) if each.version != current.version)]

    def _give(self, name: ModelName, manifest: ModelManifest, now_s: float) -> ModelManifest:
        check_replaceable(name, self._layout.manifests.get(key_of(name)), manifest.digest)
        files = tuple(self._lasting(file) for file in manifest.files)
        return self._layout.put(
            name,
            msgspec.structs.replace(manifest, name=name.repository, tag=name.tag, files=files, added_s=now_s),
        )

    def _lasting(self, file: ManifestFile) -> ManifestFile:
        """Return the file itself, or a copy of the embedded one, which changes with the appliance."""
        if file.role != "embedded":
            return file
        path = self._layout.blobs.write(Path(file.path).read_bytes(), file.sha256)
        return msgspec.structs.replace(file, path=str(path), role="blob", mtime_ns=path.stat().st_mtime_ns)


def _chosen(name: str, versions: list[ModelManifest], number: int | None) -> ModelManifest:
    """Return the version to go back to; `versions` begin with the current one."""
    current, *others = versions
    if number is None:
        older = [each for each in others if each.version < current.version]
        if older:
            return older[0]
        raise StoreError(f"{name!r} has no version before {current.version}; see: appliance models versions {name}")
    for version in versions:
        if version.version == number:
            return version
    known = ", ".join(str(each.version) for each in sorted(versions, key=lambda each: each.version))
    raise StoreError(f"{name!r} has no version {number}; there are: {known}")
