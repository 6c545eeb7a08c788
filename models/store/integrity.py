"""What must hold in a store at every moment, also after a kill: said as sentences about what does not."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from models.manifest import ManifestFile, ModelManifest
from models.names import ModelName
from models.store.layout import Layout
from models.store.manifest_files import change_of, needs_links


def contradictions(layout: Layout) -> list[str]:
    """Return a sentence for everything that contradicts something else. Copies are read whole."""
    manifests = layout.manifests.read_all()[0]
    former = layout.versions.read_all()[0]
    found = [f"{layout.num_unreadable()} manifests cannot be read"] if layout.num_unreadable() else []
    for manifest in (*manifests, *former):
        found += _about_model(layout, manifest)
    files = {file.path: file for manifest in (*manifests, *former) for file in manifest.files}
    files |= {file.path: file for adapter in layout.adapters.read_all()[0] for file in adapter.files}
    for file in files.values():
        found += _about_file(file)
    return found + list(_about_versions(manifests, former))


def _about_model(layout: Layout, manifest: ModelManifest) -> Iterator[str]:
    if not manifest.files:
        yield f"{manifest.name}:{manifest.tag} has no file"
    elif needs_links(manifest) and not layout.opened_path(manifest).is_file():
        yield f"{manifest.name}:{manifest.tag} cannot be opened at {layout.opened_path(manifest)}"


def _about_file(file: ManifestFile) -> Iterator[str]:
    if change := change_of(file):
        yield change
    elif file.role == "blob":
        with Path(file.path).open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != file.sha256:
                yield f"{file.path} does not have the digest that it is named by"


def _about_versions(manifests: list[ModelManifest], former: list[ModelManifest]) -> Iterator[str]:
    """A former version may be the current one, too, while a change is under way; without a current one it is lost."""
    current = {(manifest.name, manifest.tag): manifest for manifest in manifests}
    for version in former:
        now = current.get((version.name, version.tag))
        if now is None:
            yield f"{ModelName.parse(version.name)}:{version.tag} has a former version and no current one"
        elif now.version == version.version and now.digest != version.digest:
            yield f"{version.name}:{version.tag} has two versions {version.version}"
