"""What a path is: a model in one of the formats that are known, read defensively before any native library sees it."""

from collections.abc import Mapping
from pathlib import Path

from models.errors import file_errors
from models.finding.found import Found
from models.finding.gguf_files import find_gguf
from models.finding.onnx_folder import find_onnx
from models.finding.safetensors_folder import find_safetensors, holds_safetensors
from models.manifest import ModelFormat
from models.workshop import Workshop


def find_model(path: Path, workshops: Mapping[ModelFormat, Workshop]) -> Found:
    """Return the files of the model at a path and what they say of themselves. Raises: StoreError."""
    with file_errors(path):  # the folders above it may be closed to us
        if holds_safetensors(path):
            return find_safetensors(path)
        is_graph = path.is_dir() or path.suffix.lower() == ".onnx"
    return find_onnx(path, workshops.get("onnx")) if is_graph else find_gguf(path)
