"""What a job that makes a model leaves for the store: files under a name that is free, and what they cost."""

from pathlib import Path

import msgspec

from appliance.core.quantized import Comparison
from appliance.errors import Conflict, InvalidRequest
from models.finding.quality_file import QUALITY_FILE, quality_file_of
from models.manifest import ModelQuality
from models.names import InvalidModelName, ModelName, name_from_stem
from models.store.store import ModelStore


class MadeModel(msgspec.Struct, frozen=True, kw_only=True):
    """A finished model inside the job's own folder, by the path that the store takes, and the name it is to have."""

    folder: str
    name: str


def free_name(name: str | None, stem: str, home: Path) -> str:
    """Return the name for the new model, checked before any work is done. Raises: InvalidRequest, Conflict."""
    try:
        parsed = name_from_stem(stem) if name is None else ModelName.parse(name)
    except InvalidModelName as error:
        raise InvalidRequest(str(error), param="name") from None
    if ModelStore(home).get(str(parsed)) is not None:
        raise Conflict(f"a model is called '{parsed}'; remove it, or choose another name with --name", param="name")
    return str(parsed)


def write_quality(folder: Path, quality: ModelQuality) -> None:
    """Leave the figures beside the model, where the store finds them."""
    (folder / QUALITY_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(quality), indent=1) + b"\n")


class MadeModels(msgspec.Struct, frozen=True, kw_only=True):
    """What a job answers that tried several types: the models to keep, and what was measured of all."""

    made: tuple[MadeModel, ...]
    comparison: Comparison


def write_quality_beside(file: Path, quality: ModelQuality) -> None:
    """Leave the figures beside a model that is one file, where the store finds them."""
    quality_file_of(file).write_bytes(msgspec.json.format(msgspec.json.encode(quality), indent=1) + b"\n")
