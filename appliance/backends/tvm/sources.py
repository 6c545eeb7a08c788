"""Opens a model for our kernels, whatever its format."""

from pathlib import Path

from appliance.backends.tvm.gguf_source import GgufSource
from appliance.backends.tvm.safetensors_source import SafetensorsSource
from appliance.backends.tvm.source import NotServable, Source
from kernels.quantization import Bits
from models.formats.safetensors_files import SUFFIX


def open_source(path: Path, bits: Bits = 8) -> Source:
    """Return the model that `path` is the file of; what must be quantized has so many bits in its layers.

    Raises: NotServable, OSError.
    """
    if not path.name.endswith(SUFFIX):
        return GgufSource(path, bits)
    try:
        return SafetensorsSource(path, bits)
    except NotServable as problem:
        raise NotServable(f"{problem}; convert it: appliance models convert {path.parent}") from problem
