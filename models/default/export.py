"""Write a Qwen2 network and its tokenizer as a GGUF file."""

from collections.abc import Mapping
from pathlib import Path

from models.default.shape import Shape
from models.default.tokenizer import SPECIAL_TOKENS, Tokenizer
from models.formats.gguf_writer import Tensor, Value, write_gguf
from models.formats.quantize import Floats

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
FILE_TYPE_NUMBERS = {"F16": 1, "Q4_0": 2, "Q8_0": 7}  # llama.h, enum llama_ftype
_NORMAL, _CONTROL = 1, 3  # llama.h, enum llama_token_type


def export(path: Path, weights: Mapping[str, Floats], shape: Shape, tokenizer: Tokenizer) -> None:
    """Write `path`: matrices as Q8_0, vectors (norms, biases) as F32."""
    metadata = {"general.license": "apache-2.0", **qwen2_metadata("guide", "Q8_0", shape, tokenizer)}
    write_gguf(path, metadata, [_tensor(name, values) for name, values in weights.items()])


def qwen2_metadata(name: str, quantization: str, shape: Shape, tokenizer: Tokenizer) -> dict[str, Value]:
    """Return what llama.cpp needs to know of a network besides its weights."""
    num_special = len(SPECIAL_TOKENS)
    return {
        "general.architecture": "qwen2",
        "general.name": name,
        "general.file_type": FILE_TYPE_NUMBERS[quantization],
        "general.quantization_version": 2,
        "qwen2.block_count": shape.num_layers,
        "qwen2.context_length": shape.context_length_tokens,
        "qwen2.embedding_length": shape.width,
        "qwen2.feed_forward_length": shape.feed_forward,
        "qwen2.attention.head_count": shape.num_heads,
        "qwen2.attention.head_count_kv": shape.num_kv_heads,
        "qwen2.attention.layer_norm_rms_epsilon": shape.norm_epsilon,
        "qwen2.rope.freq_base": shape.rope_base,
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


def _tensor(name: str, values: Floats) -> Tensor:
    return Tensor(name, values.shape, "Q8_0" if values.ndim > 1 else "F32", lambda: [values])
