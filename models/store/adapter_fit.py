"""Does an adapter fit a model: the same architecture, and for each of its pairs a tensor of that very shape. Pure."""

import re
from collections.abc import Mapping

from models.formats.lora import Lora, LoraPair, Shape
from models.manifest import ModelFormat

MAX_REASONS = 3

# Source: llama.cpp, gguf-py/gguf/tensor_mapping.py: what it calls the matrices of the families with these names
_GGUF_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.qkv_proj": "attn_qkv",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.gate_up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_WHOLE_NAMES = {"lm_head": "output", "model.embed_tokens": "token_embd", "embed_tokens": "token_embd"}
_LAYER = re.compile(r"(?:model\.)?layers\.(?P<number>\d{1,5})\.(?P<matrix>.+)")


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
    name = pair.target if lora.format == base_format or base_format != "gguf" else _gguf_name(pair.target)
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


def _gguf_name(target: str) -> str | None:
    """Return what a matrix of a Hugging Face model is called in GGUF."""
    module = target.removesuffix(".weight")
    if module in _WHOLE_NAMES:
        return f"{_WHOLE_NAMES[module]}.weight"
    layer = _LAYER.fullmatch(module)
    known = _GGUF_NAMES.get(layer["matrix"]) if layer else None
    return f"blk.{int(layer['number'])}.{known}.weight" if layer and known else None


def _in_words(shape: Shape) -> str:
    return " × ".join(map(str, shape))
