"""What a path turned out to be: the files of one model, not read yet."""

from dataclasses import dataclass
from pathlib import Path

from models.manifest import ModelDetails, ModelFormat, ModelQuality


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of a model; `name` is what the others of its folder know it by, None where there is no folder."""

    path: Path
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The files of a model, the one that is opened first. `stem` is what it would be called, `choice` why this one."""

    format: ModelFormat
    files: tuple[FoundFile, ...]
    stem: str
    details: ModelDetails
    choice: str | None = None
    quality: ModelQuality | None = None
