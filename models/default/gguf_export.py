"""What a GGUF file needs of a network: metadata of its architecture and tokenizer, and the tensors in its layout.

Source: llama.cpp, gguf-py/gguf/constants.py for the keys.
"""

from collections.abc import Mapping
from pathlib import Path

from models.default.chat import CHAT_TEMPLATE
from models.default.shape import Shape
from models.default.tokenizer import SPECIAL_TOKENS, Tokenizer
from models.formats.gguf_writer import Tensor, Value, write_gguf
from models.formats.quantize import Floats
from models.formats.summary import FILE_TYPE_NUMBERS
from models.formats.tensor_names import gguf_name
from models.to_gguf.weights import permuted

QUANTIZATIONS = ("F16", "Q4_0", "Q8_0")
_NORMAL, _CONTROL = 1, 3  # llama.h, enum llama_token_type


def write_llama_gguf(
    path: Path, weights: Mapping[str, Floats], shape: Shape, tokenizer: Tokenizer, quantization: str = "Q8_0"
) -> None:
    """Write the network: matrices quantized, norms as F32. The weights have Hugging Face's names."""
    metadata = {"general.license": "apache-2.0", **gguf_metadata("llama", "guide", quantization, shape, tokenizer)}
    write_gguf(path, metadata, [_tensor(name, values, shape, quantization) for name, values in weights.items()])


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


def _tensor(name: str, values: Floats, shape: Shape, quantization: str) -> Tensor:
    named = gguf_name(name)
    assert named is not None, f"{name} is no tensor of this family"
    ordered = permuted(values, shape.head_width) if name.endswith(("q_proj.weight", "k_proj.weight")) else values
    return Tensor(named, values.shape, quantization if values.ndim > 1 else "F32", lambda: [ordered])
