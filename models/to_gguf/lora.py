"""A LoRA adapter in the folder that PEFT writes, as the GGUF file that llama.cpp reads.

What the folder says of scaling is put into the matrices, so that the file needs to say nothing of it.

Sources: PEFT, `LoraLayer.update_layer` and `get_pattern_key` (scaling); llama.cpp, convert_lora_to_gguf.py.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.formats.float_tensors import FLOAT_TYPES, as_float32
from models.formats.gguf import GGUFError, read_gguf
from models.formats.gguf_writer import Tensor, Value, write_gguf
from models.formats.lora import WEIGHTS_FILE, LoraError, PeftConfig, PeftHalf, read_peft_folder
from models.formats.quantize import Floats
from models.formats.tensor_names import gguf_target
from models.to_gguf.refusal import NotConvertible
from models.to_gguf.weights import permuted

_DEFAULT_ALPHA = 8.0
_PLAIN = re.compile(r"[\w.]+")
_PERMUTED = ("attn_q.weight", "attn_k.weight")


@dataclass(frozen=True, slots=True)
class LoraBase:
    """What the file of an adapter depends on of its base: the same for every quantization of it."""

    architecture: str
    head_width: int

    @property
    def file_name(self) -> str:
        """Return a name for an adapter's file that is for such bases."""
        return f"{re.sub('[^a-z0-9]', '-', self.architecture)}-{self.head_width}.gguf"


def read_lora_base(path: Path) -> LoraBase:
    """Read what a GGUF model says. Raises: NotConvertible."""
    try:
        said = read_gguf(path).metadata
    except (GGUFError, OSError) as error:
        raise NotConvertible(f"the model's file cannot be read: {error}") from None
    architecture = str(said.get("general.architecture"))
    keys = ("embedding_length", "attention.head_count", "attention.key_length")
    width, heads, head_width = (said.get(f"{architecture}.{key}") for key in keys)
    if isinstance(head_width, int):
        return LoraBase(architecture, head_width)
    return LoraBase(architecture, width // heads if isinstance(width, int) and isinstance(heads, int) and heads else 0)


def convert_lora(folder: Path, base: LoraBase, target: Path) -> None:
    """Write the file under a temporary name and rename it when it is whole. Raises: NotConvertible, OSError."""
    try:
        found = read_peft_folder(folder)
    except LoraError as error:
        raise NotConvertible(str(error)) from None
    tensors: list[Tensor] = []
    for name, a in found.a.items():
        b, named = found.b.get(name), gguf_target(name)
        if b is None or named is None:
            raise NotConvertible(f"it is not known what {name!r} is called in a GGUF model, or half of it is missing")
        scale = _scale(found.config, name, rank=b.shape[-1])
        head_width = base.head_width if base.architecture == "llama" and named.endswith(_PERMUTED) else 0
        tensors += [
            _tensor(f"{named}.lora_a", folder, a, 1.0, 0),
            _tensor(f"{named}.lora_b", folder, b, scale, head_width),
        ]
    metadata: dict[str, Value] = {
        "general.type": "adapter",
        "general.architecture": base.architecture,
        "adapter.type": "lora",
        "adapter.lora.alpha": 0.0,
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    write_gguf(target, metadata, tensors)


def _scale(config: PeftConfig, name: str, rank: int) -> float:
    """Return how strongly a pair is applied."""
    module = f".{name.removesuffix('.weight')}"
    if unclear := [end for end in config.alpha_pattern if not _PLAIN.fullmatch(end)]:
        raise NotConvertible(f"alpha_pattern has {unclear[0]!r}; only names of modules are understood")
    own = (alpha for end, alpha in config.alpha_pattern.items() if module.endswith(f".{end}"))
    alpha = next(own, _DEFAULT_ALPHA if config.lora_alpha is None else config.lora_alpha)
    return alpha / (math.sqrt(rank) if config.use_rslora else rank)


def _tensor(name: str, folder: Path, half: PeftHalf, scale: float, head_width: int) -> Tensor:
    if half.tensor.dtype not in FLOAT_TYPES:
        raise NotConvertible(f"tensor {half.tensor.name!r} is of the type {half.tensor.dtype}; floats are needed")

    def chunks() -> Iterator[Floats]:
        with (folder / WEIGHTS_FILE).open("rb") as stream:
            stream.seek(half.tensor.offset_bytes)
            data = stream.read(half.tensor.size_bytes)
        values = as_float32(np.frombuffer(data, np.uint8), half.tensor.dtype).reshape(half.tensor.shape)
        values = np.ascontiguousarray(values.T) if half.is_flipped else values
        values = values * np.float32(scale) if scale != 1.0 else values
        yield permuted(values, head_width) if head_width else values

    return Tensor(name, half.shape, "F32", chunks)
