"""A model's folder as Hugging Face keeps it: whether it can be converted, and how large it is."""

import math
from dataclasses import dataclass
from pathlib import Path

import msgspec

from appliance.errors import InvalidRequest
from models.formats.safetensors import SafetensorsError
from models.formats.safetensors_files import read_tensors, weight_files

# What onnxruntime-genai 0.18's builder carries and this backend serves.
DECODERS = frozenset(
    f"{family}ForCausalLM"
    for family in ("Llama", "Mistral", "Qwen2", "Qwen3", "Phi", "Phi3", "Gemma", "Gemma2", "Gemma3")
)
ENCODERS = frozenset(
    {"BertModel", "BertForMaskedLM", "RobertaModel", "XLMRobertaModel", "DistilBertModel", "MPNetModel"}
)


class _Config(msgspec.Struct):
    architectures: list[str] = []


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


def examine(folder: Path) -> Convertible:
    """Return what the folder holds. Raises: InvalidRequest, naming what it lacks or why it cannot be converted."""
    try:
        config = msgspec.json.decode((folder / "config.json").read_bytes(), type=_Config)
    except OSError as error:
        is_made = any(folder.glob("*.onnx"))
        mend = "; it is ONNX already: see 'appliance models add' and 'quantize'" if is_made else ""
        reason = f"its config.json cannot be read ({error.strerror})"
        raise InvalidRequest(f"{folder} is not a folder of float weights: {reason}{mend}", param="model") from None
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"{folder / 'config.json'} is damaged: {error}", param="model") from None
    architecture = config.architectures[0] if config.architectures else "(none)"
    if architecture not in DECODERS | ENCODERS:
        known = ", ".join(sorted(DECODERS | ENCODERS))
        raise InvalidRequest(f"the architecture {architecture} cannot be converted; these can: {known}", param="model")
    if not (folder / "tokenizer.json").is_file():
        raise InvalidRequest(f"{folder} has no tokenizer.json, without which the model reads no text", param="model")
    return Convertible(folder, architecture, _num_parameters(folder))


def _num_parameters(folder: Path) -> int:
    """Return how many values the weights have, by the headers of their files."""
    try:
        return sum(math.prod(tensor.shape) for _, tensor in read_tensors(weight_files(folder)).values())
    except FileNotFoundError:
        reason = f"{folder} has no weights in safetensors; other formats can run programs"
    except (SafetensorsError, OSError) as error:
        reason = f"the weights in {folder} are damaged or not all there: {error}"
    raise InvalidRequest(reason, param="model")
