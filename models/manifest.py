"""What is known of a model on disk: the manifest that the store writes, and the details read from the file itself."""

from typing import Any, Literal

import msgspec

from models.names import ModelName

SCHEMA_VERSION = 1

ModelFormat = Literal["gguf", "onnx", "safetensors"]
FileRole = Literal["adopted", "blob", "embedded"]
SourceKind = Literal["hugging_face", "modelscope", "ollama", "http", "file"]


class ModelDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the model's own file says. Unknown is None."""

    architecture: str | None = None
    name: str | None = None
    licence: str | None = None
    num_parameters: int | None = None
    quantization: str | None = None
    weights_bytes: int | None = None
    loaded_bytes: int | None = None  # what weights take in memory, where the library keeps them otherwise than the file
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
    num_labels: int | None = None  # of a model that judges texts instead of writing or embedding them
    is_transcriber: bool = False  # of speech
    num_experts: int | None = None
    num_experts_used: int | None = None
    sliding_window_tokens: int | None = None
    media: tuple[Literal["image", "audio"], ...] = ()  # what is read through the projector beside the model
    projector_bytes: int | None = None

    @property
    def task(self) -> Literal["generate", "embed", "score", "transcribe"]:
        """Return what the model is for."""
        if self.is_transcriber:
            return "transcribe"
        if self.num_labels is not None:
            return "score"
        return "embed" if self.is_embedding else "generate"


class ManifestFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a model. An adopted file stays its owner's: it is never moved, changed or deleted.

    `name` is what the other files of a folder know it by; a model that is no folder has none. A projector turns
    pictures or sound into what the model reads.
    """

    path: str
    size_bytes: int
    sha256: str
    mtime_ns: int
    role: FileRole
    name: str | None = None
    is_projector: bool = False


class ModelQuality(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What quantization cost, measured against the original on texts that it was not made from.

    `loss_ratio` is what the gate judges by: for a model that writes, how much its perplexity grew, on these texts or,
    by the divergence, on the original's own; for one that makes vectors, what is missing to full agreement. The other
    figures are of one kind or the other.
    """

    num_samples: int
    loss_ratio: float
    method: str = ""
    perplexity: float | None = None
    reference_perplexity: float | None = None
    kl_mean: float | None = None
    kl_p99: float | None = None
    top1_agreement_ratio: float | None = None
    cosine_mean: float | None = None
    cosine_min: float | None = None
    ranking_agreement_ratio: float | None = None


class PresetMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A turn that comes before every conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class ModelPreset(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a model begins with that was made of another, or of a file. `parameters` have Ollama's names."""

    parent: str | None = None
    system: str | None = None
    messages: tuple[PresetMessage, ...] = ()
    parameters: dict[str, Any] = {}
    licence: str | None = None


class ProvenanceFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file as it came: its name in the model's folder, and its address without secrets and without a query.

    `is_stated`: the source itself said that this is the digest, before the file came.
    """

    name: str
    url: str
    sha256: str
    is_stated: bool = False


class ModelProvenance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a model is from. `reference` is complete: with `revision`, it names the same files for ever.

    `files[0]` is the one that is opened. `licence` is what the source says, in lower case where it is an SPDX name.
    """

    kind: SourceKind
    reference: str
    files: tuple[ProvenanceFile, ...]
    fetched_s: float
    publisher: str | None = None
    revision: str | None = None
    licence: str | None = None
    choice: str | None = None

    @property
    def origin(self) -> str:
        """Return what all versions of the model at its source have in common."""
        reference = self.reference.partition("#")[0]
        return reference.removesuffix(f"@{self.revision}") if self.revision else reference


class ModelManifest(msgspec.Struct, frozen=True, kw_only=True):
    """A model under a name and a tag. `digest` identifies the content of all its files, the first of which is opened.

    `choice` says which of several files that would do was taken, and why. `version` counts what the name has meant,
    `alias_of` is the name that this one was made another of. `made_of` is the digest of the model whose weights were
    converted or quantized to these, where that was done here.
    """

    name: str
    tag: str
    format: ModelFormat
    digest: str
    files: tuple[ManifestFile, ...]
    details: ModelDetails
    added_s: float
    source: str | None = None
    choice: str | None = None
    quality: ModelQuality | None = None
    preset: ModelPreset | None = None
    provenance: ModelProvenance | None = None
    version: int = 1
    alias_of: str | None = None
    made_of: str | None = None
    schema_version: int = SCHEMA_VERSION

    @property
    def size_bytes(self) -> int:
        """Return the size of all files."""
        return sum(file.size_bytes for file in self.files)

    @property
    def projector_path(self) -> str | None:
        """Return the projector's file, None where there is none."""
        return next((file.path for file in self.files if file.is_projector), None)

    @property
    def full_name(self) -> ModelName:
        """Return name and tag as one."""
        return ModelName.parse(f"{self.name}:{self.tag}")

    @property
    def adopted_path(self) -> str | None:
        """Return the file that was adopted where it lies, None for a model that the store has copied or embeds."""
        first = self.files[0]
        return first.path if first.role == "adopted" else None


AdapterFormat = Literal["gguf", "peft"]


class AdapterDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an adapter's own files say. `targets` are the kinds of matrices that it changes. Unknown is None."""

    rank: int
    alpha: float | None = None
    targets: tuple[str, ...] = ()
    num_tensors: int = 0
    num_parameters: int = 0
    architecture: str | None = None
    base: str | None = None
    name: str | None = None
    licence: str | None = None


class AdapterManifest(msgspec.Struct, frozen=True, kw_only=True):
    """A LoRA adapter under its name. Its files are kept as those of a model are."""

    name: str
    format: AdapterFormat
    digest: str
    files: tuple[ManifestFile, ...]
    details: AdapterDetails
    added_s: float
    source: str | None = None
    schema_version: int = SCHEMA_VERSION

    @property
    def size_bytes(self) -> int:
        """Return the size of all files."""
        return sum(file.size_bytes for file in self.files)
