"""The file beside a model that says what its quantization cost, so that the figures travel with the folder."""

from pathlib import Path

from models.formats.json_file import read_json_file
from models.manifest import ModelQuality

QUALITY_FILE = "quality.json"


def read_quality(folder: Path) -> ModelQuality | None:
    """Return what the file says; None if there is none or it cannot be read."""
    return read_json_file(folder / QUALITY_FILE, ModelQuality)


def quality_file_of(model: Path) -> Path:
    """Return the file that says the same of a model that is one file: its folder may hold others."""
    return model.with_suffix(".quality.json")


def read_quality_beside(model: Path) -> ModelQuality | None:
    """Return what the file beside a model says; None if there is none or it cannot be read."""
    return read_json_file(quality_file_of(model), ModelQuality)
