"""A model's folder as Hugging Face keeps it: whether it can be converted, how large it is, and what that will need."""

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path

import msgspec

from appliance.errors import InvalidRequest

# What onnxruntime-genai 0.18's builder carries and this backend serves.
DECODERS = frozenset(
    f"{family}ForCausalLM"
    for family in ("Llama", "Mistral", "Qwen2", "Qwen3", "Phi", "Phi3", "Gemma", "Gemma2", "Gemma3")
)
ENCODERS = frozenset(
    {"BertModel", "BertForMaskedLM", "RobertaModel", "XLMRobertaModel", "DistilBertModel", "MPNetModel"}
)

# Measured on 0.5 billion parameters: the exporter's peak was 3.0 GB, of which 1 GB is its libraries.
_LIBRARIES_BYTES = 10**9
_EXPORT_BYTES_PER_PARAMETER = 4.5
_CHECK_BYTES_PER_PARAMETER = 8.5  # float weights packed for the processor, beside the file's pages and the copy
_BYTES_PER_PARAMETER = {"fp32": 4.0, "int8": 1.2, "int4": 0.75}
_FLOAT_BYTES = 4
_MAX_HEADER_BYTES = 100 * 2**20


class _Config(msgspec.Struct):
    architectures: list[str] = []
    auto_map: dict[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Convertible:
    """A folder that can be converted."""

    folder: Path
    architecture: str
    num_parameters: int

    @property
    def is_decoder(self) -> bool:
        """Return whether the model writes, rather than making vectors."""
        return self.architecture in DECODERS

    def memory_bytes(self, precision: str) -> int:
        """Return what the conversion takes at its peak: the export, or the comparison of what was quantized."""
        export = _LIBRARIES_BYTES + _EXPORT_BYTES_PER_PARAMETER * self.num_parameters
        check = 0 if precision == "fp32" else _CHECK_BYTES_PER_PARAMETER * self.num_parameters
        return int(max(export, check))

    def disk_bytes(self, precision: str) -> int:
        """Return what the conversion writes: the float model first, then the quantized one and the store's copy."""
        final = _BYTES_PER_PARAMETER[precision] * self.num_parameters
        made_first = 0.0 if precision == "fp32" else _FLOAT_BYTES * self.num_parameters
        return int(made_first + 2 * final)


def examine(folder: Path) -> Convertible:
    """Return what the folder holds. Raises: InvalidRequest, naming what it lacks or why it cannot be converted."""
    try:
        config = msgspec.json.decode((folder / "config.json").read_bytes(), type=_Config)
    except OSError:
        raise InvalidRequest(f"{folder} is not a model's folder: config.json cannot be read", param="model") from None
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"{folder / 'config.json'} is damaged: {error}", param="model") from None
    architecture = config.architectures[0] if config.architectures else "(none)"
    if architecture not in DECODERS | ENCODERS:
        known = ", ".join(sorted(DECODERS | ENCODERS))
        raise InvalidRequest(f"the architecture {architecture} cannot be converted; these can: {known}", param="model")
    if not (folder / "tokenizer.json").is_file():
        raise InvalidRequest(f"{folder} has no tokenizer.json, without which the model reads no text", param="model")
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise InvalidRequest(f"{folder} has no weights in safetensors; other formats can run programs", param="model")
    return Convertible(folder, architecture, sum(map(_num_parameters, files)))


def _num_parameters(path: Path) -> int:
    """Return how many values the tensors of a file have, by its header.

    Source: safetensors, "Format": eight bytes of length, then JSON.
    """
    try:
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > _MAX_HEADER_BYTES:
                raise ValueError("its header is too long")
            header = json.loads(stream.read(length))
        return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
    except (OSError, ValueError, struct.error, KeyError, TypeError, AttributeError) as error:
        raise InvalidRequest(f"{path} is damaged or not all there: {error}", param="model") from None
