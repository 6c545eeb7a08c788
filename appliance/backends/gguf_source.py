"""Where the jobs take a GGUF model from: the store, by its name, or a file."""

import re
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import InvalidRequest, ModelNotFound
from models.errors import StoreError
from models.finding.gguf_files import find_gguf
from models.manifest import ModelDetails
from models.store.store import ModelStore

_TYPE_AT_END = re.compile(r"[-.](f32|f16|bf16|q8_0|fp16|fp32)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class GgufSource:
    """A model to make others of. `stem` is what they are called by, without the type of this one."""

    path: Path
    stem: str
    details: ModelDetails
    size_bytes: int

    @property
    def type(self) -> str:
        """Return the type of its weights as it is called."""
        return self.details.quantization or "unknown"


def is_gguf(model: str, home: Path) -> bool:
    """Return whether a model, by its name or its path, is a GGUF file."""
    if model.startswith("/"):
        return model.lower().endswith(".gguf")
    manifest = ModelStore(home).get(model)
    return manifest is not None and manifest.format == "gguf"


def find_source(model: str, home: Path) -> GgufSource:
    """Return the model. Raises: ModelNotFound, InvalidRequest."""
    try:
        if model.startswith("/"):
            path = Path(model)
            if not path.is_file():
                raise ModelNotFound(f"{path} does not exist", param="model")
            found = find_gguf(path)
            size_bytes = sum(file.path.stat().st_size for file in found.files)
            first = path if len(found.files) == 1 else path.with_name(found.files[0].name or path.name)
            return GgufSource(first, _stem(found.stem), found.details, size_bytes)
        store = ModelStore(home)
        manifest = store.get(model)
        if manifest is None:
            raise ModelNotFound(f"no model is called {model!r}; see: appliance models list", param="model")
        if manifest.format != "gguf":
            raise InvalidRequest(f"{model!r} is {manifest.format}; this is for GGUF files", param="model")
        stem = _stem(manifest.name.rpartition("/")[2])
        return GgufSource(store.opened_path(manifest), stem, manifest.details, manifest.size_bytes)
    except StoreError as error:
        raise InvalidRequest(str(error), param="model") from None


def _stem(name: str) -> str:
    return _TYPE_AT_END.sub("", name)
