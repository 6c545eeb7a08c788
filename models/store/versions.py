"""What names meant before: the former manifests of each name, by number, until garbage collection."""

from pathlib import Path

from models.manifest import ModelManifest
from models.names import ModelName
from models.store.manifests import key_of, model_manifests


class FormerVersions:
    """Owns `versions/`. Whoever changes something here holds the store's lock."""

    def __init__(self, folder: Path) -> None:
        self._manifests = model_manifests(folder)

    def read_all(self) -> tuple[list[ModelManifest], int]:
        """Return all former versions of all names, and how many files could not be understood."""
        return self._manifests.read_all()

    def of(self, name: ModelName) -> list[ModelManifest]:
        """Return the former versions of a name, the oldest first."""
        found = [each for each in self.read_all()[0] if (each.name, each.tag) == (name.repository, name.tag)]
        return sorted(found, key=lambda manifest: manifest.version)

    def surplus(self, num_kept: int) -> list[ModelManifest]:
        """Return the versions that are older than so many of each name."""
        by_name: dict[tuple[str, str], list[ModelManifest]] = {}
        for manifest in sorted(self.read_all()[0], key=lambda manifest: -manifest.version):
            by_name.setdefault((manifest.name, manifest.tag), []).append(manifest)
        return [manifest for versions in by_name.values() for manifest in versions[num_kept:]]

    def partials(self) -> list[Path]:
        """Return the beginnings of manifests that a killed process left. Whoever asks holds the store's lock."""
        return self._manifests.partials()

    def keep(self, manifest: ModelManifest) -> None:
        """Remember what a name means that is about to mean something else."""
        self._manifests.write(_key(manifest), manifest)

    def forget(self, manifest: ModelManifest) -> None:
        """Forget one version; what only it used is deleted by whoever collects what is unused."""
        self._manifests.delete(_key(manifest))


def _key(manifest: ModelManifest) -> str:
    return f"{key_of(manifest.full_name)}+{manifest.version}"
