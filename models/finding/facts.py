"""What a model's files say of themselves beyond its manifest: metadata, chat template, whether it fills gaps."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.errors import StoreError
from models.formats.folder_config import config_folder, read_chat_template
from models.formats.gguf import ArrayInfo, GGUFError, Scalar, Value, read_gguf
from models.manifest import ModelDetails, ModelManifest

_TEMPLATE_KEY = "tokenizer.chat_template"
_TOKENS_KEY = "tokenizer.ggml.tokens"
_MAX_TOKENIZER_BYTES = 256 * 2**20
_FIM_KEYS = ("tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.prefix_token_id")
# Source: llama.cpp, llama-vocab.cpp, the texts by which it finds the token before a gap where no key names it
_FIM_MARKERS = frozenset(
    {"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<|fim_begin|>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>"}
)

Metadata = Mapping[str, Scalar | tuple[Scalar, ...] | None]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """`metadata` has GGUF's keys, whatever the format; None stands for a list that is too long to show."""

    metadata: Metadata
    template: str | None
    fills_gaps: bool


def read_facts(manifest: ModelManifest, opened: Path) -> ModelFacts:
    """Return what the files say; `opened` is the one that a backend opens. Raises: StoreError."""
    try:
        return _of_gguf(manifest, opened) if manifest.format == "gguf" else _of_folder(manifest, config_folder(opened))
    except (OSError, GGUFError) as error:
        raise StoreError(f"{opened.name} cannot be read: {error}") from error


def _of_gguf(manifest: ModelManifest, path: Path) -> ModelFacts:
    values = read_gguf(path, read_arrays=True).metadata
    template, tokens = values.get(_TEMPLATE_KEY), values.get(_TOKENS_KEY)
    is_marked = isinstance(tokens, tuple) and not _FIM_MARKERS.isdisjoint(map(str, tokens))
    shown = {key: _shown(key, value) for key, value in values.items() if key != _TEMPLATE_KEY}
    if manifest.details.num_parameters is not None:
        shown["general.parameter_count"] = manifest.details.num_parameters
    return ModelFacts(
        metadata=shown,
        template=template if isinstance(template, str) and template else None,
        fills_gaps=is_marked or any(key in values for key in _FIM_KEYS),
    )


def _of_folder(manifest: ModelManifest, folder: Path) -> ModelFacts:
    tokenizer = folder / "tokenizer.json"
    is_readable = tokenizer.is_file() and tokenizer.stat().st_size <= _MAX_TOKENIZER_BYTES
    text = tokenizer.read_text(encoding="utf-8", errors="replace") if is_readable else ""
    return ModelFacts(
        metadata=_metadata_of(manifest.details),
        template=read_chat_template(folder),
        fills_gaps=any(f'"{marker}"' in text for marker in _FIM_MARKERS),
    )


def _shown(key: str, value: Value) -> Scalar | tuple[Scalar, ...] | None:
    """Return what is shown of a value: a vocabulary is a list of its own kind, by whatever key."""
    if isinstance(value, ArrayInfo) or (isinstance(value, tuple) and key.startswith("tokenizer.")):
        return None
    return value


def _metadata_of(details: ModelDetails) -> Metadata:
    architecture = details.architecture or "unknown"
    known: dict[str, Scalar | None] = {
        "general.architecture": details.architecture,
        "general.name": details.name,
        "general.license": details.licence,
        "general.parameter_count": details.num_parameters,
        f"{architecture}.context_length": details.context_length_tokens,
        f"{architecture}.embedding_length": details.embedding_length,
        f"{architecture}.block_count": details.num_layers,
        f"{architecture}.feed_forward_length": details.feed_forward_length,
        f"{architecture}.attention.head_count": details.num_heads,
        f"{architecture}.attention.head_count_kv": details.num_kv_heads,
        f"{architecture}.vocab_size": details.vocab_size,
        f"{architecture}.expert_count": details.num_experts,
        f"{architecture}.expert_used_count": details.num_experts_used,
    }
    return {key: value for key, value in known.items() if value is not None}
