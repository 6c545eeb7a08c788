"""What a GGUF file needs of a network: metadata of its architecture and tokenizer, and the tensors in its layout.

Source: llama.cpp, gguf-py/gguf/constants.py for the keys; convert_hf_to_gguf.py for the permutation of Q and K.
"""

from collections.abc import Mapping
from pathlib import Path

from models.default.chat import CHAT_TEMPLATE
from models.default.shape import Shape
from models.default.tokenizer import SPECIAL_TOKENS, Tokenizer
from models.formats.gguf_writer import Tensor, Value, write_gguf
from models.formats.quantize import Floats

FILE_TYPE_NUMBERS = {"F16": 1, "Q4_0": 2, "Q8_0": 7}  # llama.h, enum llama_ftype
_NORMAL, _CONTROL = 1, 3  # llama.h, enum llama_token_type

_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write_llama_gguf(
    path: Path, weights: Mapping[str, Floats], shape: Shape, tokenizer: Tokenizer, quantization: str = "Q8_0"
) -> None:
    """Write the network: matrices quantized, norms as F32. The weights have Hugging Face's names."""
    metadata = {"general.license": "apache-2.0", **gguf_metadata("llama", "guide", quantization, shape, tokenizer)}
    tensors = {_gguf_name(name): _permuted(name, values, shape) for name, values in weights.items()}
    write_gguf(path, metadata, [_tensor(name, values, quantization) for name, values in tensors.items()])


def gguf_metadata(
    architecture: str, name: str, quantization: str, shape: Shape, tokenizer: Tokenizer
) -> dict[str, Value]:
    """Return what llama.cpp needs to know of a `llama` or `qwen2` network besides its weights."""
    num_special = len(SPECIAL_TOKENS)
    sizes: dict[str, Value] = {
        "vocab_size": shape.vocabulary_size,
        "block_count": shape.num_layers,
        "context_length": shape.context_length_tokens,
        "embedding_length": shape.width,
        "feed_forward_length": shape.feed_forward,
        "attention.head_count": shape.num_heads,
        "attention.head_count_kv": shape.num_kv_heads,
        "attention.layer_norm_rms_epsilon": shape.norm_epsilon,
        "rope.dimension_count": shape.head_width,
        "rope.freq_base": shape.rope_base,
    }
    return {
        "general.architecture": architecture,
        "general.name": name,
        "general.file_type": FILE_TYPE_NUMBERS[quantization],
        "general.quantization_version": 2,
        **{f"{architecture}.{key}": value for key, value in sizes.items()},
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": tokenizer.tokens,
        "tokenizer.ggml.token_type": [_NORMAL] * (len(tokenizer.tokens) - num_special) + [_CONTROL] * num_special,
        "tokenizer.ggml.merges": [" ".join(pair) for pair in tokenizer.merges],
        "tokenizer.ggml.bos_token_id": tokenizer.special("<|endoftext|>"),
        "tokenizer.ggml.eos_token_id": tokenizer.special("<|im_end|>"),
        "tokenizer.ggml.padding_token_id": tokenizer.special("<|endoftext|>"),
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": CHAT_TEMPLATE,
    }


def _gguf_name(name: str) -> str:
    if not name.startswith("model.layers."):
        return {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}[name]
    layer, part = name.removeprefix("model.layers.").removesuffix(".weight").split(".", 1)
    return f"blk.{layer}.{_NAMES[part]}.weight"


def _permuted(name: str, values: Floats, shape: Shape) -> Floats:
    """Put the two halves of each head's rotary pairs side by side, as the `llama` architecture of GGUF has them."""
    num_heads = {"q_proj": shape.num_heads, "k_proj": shape.num_kv_heads}.get(name.split(".")[-2])
    if num_heads is None:
        return values
    halves = values.reshape(num_heads, 2, shape.head_width // 2, shape.width)
    return halves.swapaxes(1, 2).reshape(values.shape)


def _tensor(name: str, values: Floats, quantization: str) -> Tensor:
    return Tensor(name, values.shape, quantization if values.ndim > 1 else "F32", lambda: [values])
