"""What is known of a model on disk: the manifest that the store writes, and the details read from the file itself."""

from typing import Literal

import msgspec

SCHEMA_VERSION = 1

ModelFormat = Literal["gguf"]
FileRole = Literal["adopted", "blob", "embedded"]


class ModelDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the model's own file says. Unknown is None."""

    architecture: str | None = None
    name: str | None = None
    licence: str | None = None
    num_parameters: int | None = None
    quantization: str | None = None
    weights_bytes: int | None = None
    context_length_tokens: int | None = None
    embedding_length: int | None = None
    num_layers: int | None = None
    num_heads: int | None = None
    num_kv_heads: int | None = None  # the largest, where layers differ
    total_kv_heads: int | None = None  # of all layers together: what the KV cache of a token is made of
    key_length: int | None = None
    value_length: int | None = None
    feed_forward_length: int | None = None
    vocab_size: int | None = None
    tokenizer: str | None = None
    has_chat_template: bool = False
    is_embedding: bool = False
    num_experts: int | None = None
    num_experts_used: int | None = None
    sliding_window_tokens: int | None = None


class ManifestFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a model. An adopted file stays its owner's: it is never moved, changed or deleted."""

    path: str
    size_bytes: int
    sha256: str
    mtime_ns: int
    role: FileRole


class ModelManifest(msgspec.Struct, frozen=True, kw_only=True):
    """A model under a name and a tag. `digest` identifies the content of all its files."""

    name: str
    tag: str
    format: ModelFormat
    digest: str
    files: tuple[ManifestFile, ...]
    details: ModelDetails
    added_s: float
    source: str | None = None
    schema_version: int = SCHEMA_VERSION

    @property
    def size_bytes(self) -> int:
        """Return the size of all files."""
        return sum(file.size_bytes for file in self.files)
