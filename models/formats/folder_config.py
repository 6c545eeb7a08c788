"""What the files of a model folder say: onnxruntime-genai's, and Hugging Face's as transformers.js keeps them.

Sources: onnxruntime-genai, `genai_config.json`; transformers, `PretrainedConfig` and `GenerationConfig`.
"""

from pathlib import Path
from typing import Any

import msgspec

from models.formats.json_file import read_json_file

_FILES = ("genai_config.json", "config.json", "generation_config.json")
_ENCODER_FILES = (
    "modules.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
)
_MAX_TEMPLATE_BYTES = 4 * 2**20
_TEMPLATE_FILE, _TOKENIZER_CONFIG_FILE = "chat_template.jinja", "tokenizer_config.json"

CONFIG_FILES = (
    *_FILES,
    "tokenizer.json",
    _TOKENIZER_CONFIG_FILE,
    "special_tokens_map.json",
    _TEMPLATE_FILE,
    *_ENCODER_FILES,
)
"""The files beside a graph that tell of a model. Whoever reads another one adds it here, so that it is watched."""


class FolderConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The shape and the special tokens of a model. What no file says is None or empty."""

    architecture: str | None = None
    context_length_tokens: int | None = None
    embedding_length: int | None = None
    feed_forward_length: int | None = None
    num_layers: int | None = None
    num_heads: int | None = None
    num_kv_heads: int | None = None
    head_width: int | None = None
    vocab_size: int | None = None
    bos_id: int | None = None
    eos_ids: frozenset[int] = frozenset()


def config_folder(graph: Path) -> Path:
    """Return the folder with the configuration of a graph: its own, or the one above (`onnx/model_q4.onnx`)."""
    beside, above = graph.parent, graph.parent.parent
    return beside if any((beside / name).is_file() for name in (*_FILES, "tokenizer.json")) else above


def read_folder_config(folder: Path) -> FolderConfig:
    """Return what the files in `folder` say. A file that is missing or no JSON says nothing."""
    genai, hugging_face, generation = (read_json(folder / name) for name in _FILES)
    return _of_genai(genai) if genai else _of_hugging_face(hugging_face, generation)


def named_graph(folder: Path) -> str | None:
    """Return the graph that onnxruntime-genai's configuration names."""
    return _text(_object(_object(read_json(folder / _FILES[0]), "model"), "decoder"), "filename")


def read_chat_template(folder: Path) -> str | None:
    """Return the chat template: a file of its own, or in the tokenizer's configuration, there perhaps one of several.

    Source: transformers, `PreTrainedTokenizerBase.save_chat_templates`.
    """
    file = folder / _TEMPLATE_FILE
    try:
        if file.is_file() and file.stat().st_size <= _MAX_TEMPLATE_BYTES:
            return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        pass
    template = read_tokenizer_config(folder).get("chat_template")
    if isinstance(template, list):
        named = {_text(item, "name"): _text(item, "template") for item in template if isinstance(item, dict)}
        template = named.get("default")
    return template if isinstance(template, str) else None


def read_tokenizer_config(folder: Path) -> dict[str, Any]:
    """Return the fields of the tokenizer's configuration, none if there is no such file."""
    return read_json(folder / _TOKENIZER_CONFIG_FILE)


def _of_genai(config: dict[str, Any]) -> FolderConfig:
    model = _object(config, "model")
    decoder = _object(model, "decoder")
    return FolderConfig(
        architecture=_text(model, "type"),
        context_length_tokens=_integer(model, "context_length"),
        embedding_length=_integer(decoder, "hidden_size"),
        num_layers=_integer(decoder, "num_hidden_layers"),
        num_heads=_integer(decoder, "num_attention_heads"),
        num_kv_heads=_integer(decoder, "num_key_value_heads"),
        head_width=_integer(decoder, "head_size"),
        vocab_size=_integer(model, "vocab_size"),
        bos_id=_integer(model, "bos_token_id"),
        eos_ids=_integers(model, "eos_token_id"),
    )


def _of_hugging_face(config: dict[str, Any], generation: dict[str, Any]) -> FolderConfig:
    text = _object(config, "text_config") or config  # models that see keep the language model's shape inside
    num_heads, width = _integer(text, "num_attention_heads"), _integer(text, "hidden_size")
    return FolderConfig(
        architecture=_text(config, "model_type"),
        context_length_tokens=_integer(text, "max_position_embeddings"),
        embedding_length=width,
        feed_forward_length=_integer(text, "intermediate_size"),
        num_layers=_integer(text, "num_hidden_layers"),
        num_heads=num_heads,
        num_kv_heads=_integer(text, "num_key_value_heads") or num_heads,
        head_width=_integer(text, "head_dim") or (width // num_heads if width and num_heads else None),
        vocab_size=_integer(text, "vocab_size"),
        bos_id=_integer(generation, "bos_token_id") or _integer(text, "bos_token_id"),
        eos_ids=_integers(generation, "eos_token_id") or _integers(text, "eos_token_id"),
    )


def read_json(path: Path) -> dict[str, Any]:
    """Return the fields of a JSON file; one that is missing or no object has none."""
    return read_json_file(path, dict[str, Any]) or {}


def _object(fields: dict[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def _text(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return value if isinstance(value, str) else None


def _integer(fields: dict[str, Any], name: str) -> int | None:
    value = fields.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _integers(fields: dict[str, Any], name: str) -> frozenset[int]:
    value = fields.get(name)
    values = value if isinstance(value, list) else [value]
    return frozenset(item for item in values if isinstance(item, int) and not isinstance(item, bool))
