"""What a path turned out to be: the files of one model, not read yet."""

from dataclasses import dataclass
from pathlib import Path

from models.manifest import (
    ManifestFile,
    ModelDetails,
    ModelFormat,
    ModelManifest,
    ModelPreset,
    ModelProvenance,
    ModelQuality,
)
from models.names import ModelName


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of a model; `name` is what the others of its folder know it by, None where there is no folder."""

    path: Path
    name: str | None = None
    is_projector: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a model beside its files: what it begins with, where it is from, the digest it was made of.

    `projector` is the file through which it reads pictures or sound, or "none"; None takes one that lies beside it.
    """

    preset: ModelPreset | None = None
    provenance: ModelProvenance | None = None
    made_of: str | None = None
    projector: str | None = None


NOTHING_KNOWN = Origin()


@dataclass(frozen=True, slots=True)
class Found:
    """The files of a model, the one that is opened first. `stem` is what it would be called, `choice` why this one."""

    format: ModelFormat
    files: tuple[FoundFile, ...]
    stem: str
    details: ModelDetails
    choice: str | None = None
    quality: ModelQuality | None = None

    def as_manifest(self, name: ModelName, digest: str, files: tuple[ManifestFile, ...], now_s: float) -> ModelManifest:
        """Return the model under a name, its files where the store has put them."""
        return ModelManifest(
            name=name.repository,
            tag=name.tag,
            format=self.format,
            digest=digest,
            files=files,
            details=self.details,
            added_s=now_s,
            source=str(self.files[0].path),
            choice=self.choice,
            quality=self.quality,
        )
