"""What a job that makes a model leaves for the store: files under a name that is free, and what they cost."""

from pathlib import Path

import msgspec

from appliance.core.quantized import Comparison
from appliance.errors import Conflict, InvalidRequest
from models.manifest import ModelQuality
from models.names import InvalidModelName, ModelName, name_from_stem
from models.store.store import ModelStore


class MadeModel(msgspec.Struct, frozen=True, kw_only=True):
    """A finished model inside the job's own folder, by the path that the store takes, and the name it is to have.

    `made_of` is the digest of the installed model that it was made of; None where it was made of other files.
    """

    folder: str
    name: str
    made_of: str | None = None


class MadeModels(msgspec.Struct, frozen=True, kw_only=True):
    """What a job answers that tried several types: the models to keep, and what was measured of all."""

    made: tuple[MadeModel, ...]
    comparison: Comparison


def free_name(name: str | None, stem: str, home: Path) -> str:
    """Return the name for the new model, checked before any work is done. Raises: InvalidRequest, Conflict."""
    try:
        parsed = name_from_stem(stem) if name is None else ModelName.parse(name)
    except InvalidModelName as error:
        raise InvalidRequest(str(error), param="name") from None
    if ModelStore(home).get(str(parsed)) is not None:
        raise Conflict(f"a model is called '{parsed}'; remove it, or choose another name with --name", param="name")
    return str(parsed)


def write_quality(file: Path, quality: ModelQuality) -> None:
    """Leave the figures in the file beside a model in which the store looks for them: see `quality_file`."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(quality), indent=1) + b"\n")


def with_origin(made: MadeModel | MadeModels, model: str, home: Path) -> MadeModel | MadeModels:
    """Return what was made with the digest of what it was made of, where that is installed: by its name or its path."""
    digest = _digest_of(model, home)
    if isinstance(made, MadeModel):
        return msgspec.structs.replace(made, made_of=digest)
    return msgspec.structs.replace(
        made, made=tuple(msgspec.structs.replace(each, made_of=digest) for each in made.made)
    )


def _digest_of(model: str, home: Path) -> str | None:
    store = ModelStore(home)
    if not model.startswith("/"):
        manifest = store.get(model)
        return None if manifest is None else manifest.digest
    path = Path(model).resolve()
    for manifest in store.list():
        opened = Path(manifest.files[0].path).resolve()
        if path == opened or (manifest.format != "gguf" and path == opened.parent):
            return manifest.digest
    return None
