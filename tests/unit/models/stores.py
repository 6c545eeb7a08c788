"""What tests of the store share: tiny models, downloads that were verified, and the names of what lies where."""

import hashlib
from pathlib import Path

from models.manifest import ModelManifest, ModelProvenance, ProvenanceFile
from models.store.store import ModelStore
from tests.unit.models.store.test_store import write_model


def fetched(
    folder: Path, *numbers: float, revision: str = "r1", origin: str = "hf:acme/tiny:tiny.gguf"
) -> ModelProvenance:
    """Write a download, a model of one part for each number, and return its provenance."""
    folder.mkdir(parents=True, exist_ok=True)
    count = len(numbers)
    files = []
    for place, number in enumerate(numbers, start=1):
        name = "tiny.gguf" if count == 1 else f"tiny-{place:05}-of-{count:05}.gguf"
        sha256 = hashlib.sha256(write_model(folder / name, number).read_bytes()).hexdigest()
        files.append(ProvenanceFile(name=name, url=f"https://hub.example/{name}", sha256=sha256, is_stated=True))
    return ModelProvenance(
        kind="hugging_face",
        reference=f"{origin}@{revision}",
        revision=revision,
        publisher="acme",
        licence="apache-2.0",
        files=tuple(files),
        fetched_s=5.0,
    )


def fetch(store: ModelStore, folder: Path, name: str, *numbers: float, revision: str = "r1") -> ModelManifest:
    """Fetch and take in."""
    return store.add_fetched(folder, name, fetched(folder, *numbers, revision=revision), 7.0)


def numbers_of(store: ModelStore, name: str) -> list[tuple[int, str]]:
    """Return the versions of a name, the newest first, by number and digest."""
    return [(manifest.version, manifest.digest) for manifest in store.versions(name)]
