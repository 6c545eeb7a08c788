"""The JSON files of a Hugging Face model folder: configuration, tokenizer, and what a client should generate with."""

from typing import Any

from models.default.chat import CHAT_TEMPLATE
from models.default.shape import Shape
from models.default.tokenizer import SPECIAL_TOKENS, Tokenizer

# Source: tokenizer.json of Qwen2 (Qwen team, Apache-2.0 format description); tokenizer.py spells the same for `re`.
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def json_files(shape: Shape, tokenizer: Tokenizer) -> dict[str, dict[str, Any]]:
    """Return the contents of each JSON file by name."""
    ids = {
        "bos_token_id": tokenizer.special("<|endoftext|>"),
        "eos_token_id": tokenizer.special("<|im_end|>"),
        "pad_token_id": tokenizer.special("<|endoftext|>"),
    }
    return {
        "config.json": _configuration(shape) | ids,
        "generation_config.json": {**ids, "do_sample": False, "max_new_tokens": 256},
        "tokenizer.json": _tokenizer(tokenizer),
        "tokenizer_config.json": _tokenizer_configuration(shape, tokenizer),
    }


def _configuration(shape: Shape) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "attention_dropout": 0.0,
        "dtype": "float16",
        "head_dim": shape.head_width,
        "hidden_act": "silu",
        "hidden_size": shape.width,
        "initializer_range": 0.04,
        "intermediate_size": shape.feed_forward,
        "max_position_embeddings": shape.context_length_tokens,
        "mlp_bias": False,
        "num_attention_heads": shape.num_heads,
        "num_hidden_layers": shape.num_layers,
        "num_key_value_heads": shape.num_kv_heads,
        "rms_norm_eps": shape.norm_epsilon,
        "rope_parameters": {"rope_theta": shape.rope_base, "rope_type": "default"},
        "rope_theta": shape.rope_base,
        "tie_word_embeddings": True,
        "torch_dtype": "float16",
        "use_cache": True,
        "vocab_size": shape.vocabulary_size,
    }


def _tokenizer(tokenizer: Tokenizer) -> dict[str, Any]:
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": _SPLIT}, "behavior": "Isolated", "invert": False}
    num_texts = len(tokenizer.tokens) - len(SPECIAL_TOKENS)
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": tokenizer.special(token), **_added(token)} for token in SPECIAL_TOKENS],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {token: index for index, token in enumerate(tokenizer.tokens[:num_texts])},
            "merges": [" ".join(pair) for pair in tokenizer.merges],
        },
    }


def _tokenizer_configuration(shape: Shape, tokenizer: Tokenizer) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": {str(tokenizer.special(token)): _added(token) for token in SPECIAL_TOKENS},
        "bos_token": None,
        "chat_template": CHAT_TEMPLATE,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "model_max_length": shape.context_length_tokens,
        "pad_token": "<|endoftext|>",
        "unk_token": None,
    }


def _added(token: str) -> dict[str, Any]:
    return {
        "content": token,
        "lstrip": False,
        "normalized": False,
        "rstrip": False,
        "single_word": False,
        "special": True,
    }
