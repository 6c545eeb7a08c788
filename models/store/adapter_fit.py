"""Does an adapter fit a model: the same architecture, and for each of its pairs a tensor of that very shape. Pure."""

from collections.abc import Mapping

from models.formats.lora import Lora, LoraPair, Shape
from models.formats.tensor_names import gguf_target
from models.manifest import ModelFormat

MAX_REASONS = 3


def misfits(lora: Lora, base_format: ModelFormat, architecture: str | None, base: Mapping[str, Shape]) -> list[str]:
    """Return why the adapter cannot be applied to a model with these tensors; nothing when it fits.

    `base` has the shapes of all its tensors, outermost dimension first.
    """
    if base_format == "onnx":
        return ["the matrices of an ONNX model have no names that an adapter could mean"]
    if lora.format == "gguf" and base_format != "gguf":
        return ["an adapter in GGUF is applied to models in GGUF"]
    if lora.architecture is not None and architecture is not None and lora.architecture != architecture:
        return [f"it is made for the architecture {lora.architecture!r}, the model's is {architecture!r}"]
    reasons = [reason for pair in lora.pairs if (reason := _misfit(lora, pair, base_format, base))]
    if len(reasons) > MAX_REASONS:
        reasons = [*reasons[:MAX_REASONS], f"and {len(reasons) - MAX_REASONS} more of its {len(lora.pairs)} matrices"]
    return reasons


def _misfit(lora: Lora, pair: LoraPair, base_format: ModelFormat, base: Mapping[str, Shape]) -> str | None:
    name = pair.target if lora.format == base_format or base_format != "gguf" else gguf_target(pair.target)
    if name is None:
        return f"it is not known what {pair.target!r} is called in a GGUF model"
    shape = base.get(name)
    if shape is None and base_format == "safetensors":
        shape = base.get(f"model.{name}")
    if shape is None:
        return f"the model has no tensor {name!r}"
    if shape != pair.changes:
        wanted, found = _in_words(pair.changes), _in_words(shape)
        return f"tensor {name!r} is {found} in the model, and the adapter changes one of {wanted}"
    return None


def _in_words(shape: Shape) -> str:
    return " × ".join(map(str, shape))
