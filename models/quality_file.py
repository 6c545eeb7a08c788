"""The file beside a model that says what its quantization cost, so that the figures travel with the folder."""

from pathlib import Path

import msgspec

from models.manifest import ModelQuality

QUALITY_FILE = "quality.json"


def read_quality(folder: Path) -> ModelQuality | None:
    """Return what the file says; None if there is none or it cannot be read."""
    try:
        return msgspec.json.decode((folder / QUALITY_FILE).read_bytes(), type=ModelQuality)
    except (OSError, msgspec.MsgspecError):
        return None
