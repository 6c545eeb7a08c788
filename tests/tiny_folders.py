"""The decoders of `tiny_decoders` as Hugging Face folders: the same numbers, in floats, under that library's names."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from models.formats.gguf_writer import Tensor
from tests.onnx_shapes import write_tokenizer
from tests.safetensors_writer import write_safetensors
from tests.tiny_decoders import FEED_FORWARD, NUM_LAYERS, WIDTH, TinyDecoder, tensors_of

Floats = npt.NDArray[np.float32]

_OUTSIDE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_INSIDE = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def write_tiny_folder(
    folder: Path, decoder: TinyDecoder, *, dtype: str = "F32", num_parts: int = 1, **config: object
) -> Path:
    """Write the folder and return its first file; `config` replaces fields of `config.json`, None deleting them."""
    folder.mkdir(parents=True, exist_ok=True)
    fields = {key: value for key, value in (_config(decoder) | config).items() if value is not None}
    (folder / "config.json").write_bytes(msgspec.json.encode(fields))
    write_tokenizer(folder, decoder.vocab_size)
    tensors = {_name(tensor.name): _numbers(tensor, decoder) for tensor in tensors_of(decoder) if _is_kept(tensor)}
    if num_parts == 1:
        return write_safetensors(folder / "model.safetensors", tensors, dtype)
    weight_map = {}
    for part in range(num_parts):
        name = f"model-{part + 1:05}-of-{num_parts:05}.safetensors"
        chosen = dict(list(tensors.items())[part::num_parts])
        write_safetensors(folder / name, chosen, dtype)
        weight_map |= dict.fromkeys(chosen, name)
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_bytes(msgspec.json.encode(index))
    return folder / f"model-00001-of-{num_parts:05}.safetensors"


def _config(decoder: TinyDecoder) -> dict[str, Any]:
    scaling = None
    if decoder.linear_scaling is not None:
        scaling = {"type": "linear", "factor": decoder.linear_scaling}
    return {
        "architectures": [f"{decoder.architecture.capitalize()}ForCausalLM"],
        "model_type": decoder.architecture,
        "hidden_size": WIDTH,
        "intermediate_size": FEED_FORWARD,
        "num_hidden_layers": NUM_LAYERS,
        "num_attention_heads": decoder.num_heads,
        "num_key_value_heads": decoder.num_kv_heads,
        "head_dim": decoder.head_size,
        "max_position_embeddings": 1024,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10_000.0,
        "rope_scaling": scaling,
        "hidden_act": "silu",
        "tie_word_embeddings": not decoder.has_own_head,
        "vocab_size": decoder.vocab_size,
        "torch_dtype": "float32",
    }


def _is_kept(tensor: Tensor) -> bool:
    return tensor.name != "rope_freqs.weight"  # these libraries compute what that file holds


def _name(name: str) -> str:
    stem, kind = name.rsplit(".", 1)
    if stem in _OUTSIDE:
        return f"{_OUTSIDE[stem]}.{kind}"
    _, layer, inside = stem.split(".")
    return f"model.layers.{layer}.{_INSIDE[inside]}.{kind}"


def _numbers(tensor: Tensor, decoder: TinyDecoder) -> Floats:
    """Return the tensor; heads that GGUF's Llama keeps in neighbouring pairs get their halves back."""
    numbers = np.concatenate(list(tensor.chunks())).reshape(tensor.shape)
    if decoder.architecture != "llama" or not tensor.name.endswith(("attn_q.weight", "attn_k.weight")):
        return numbers
    pairs = numbers.reshape(-1, decoder.head_size // 2, 2, numbers.shape[1])
    return pairs.swapaxes(1, 2).reshape(numbers.shape)
