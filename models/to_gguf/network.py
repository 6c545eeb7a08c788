"""What `config.json` says of a network of the Llama family, and the same in GGUF's keys.

Sources: transformers, the configurations of Llama, Mistral, Qwen2 and Qwen3; llama.cpp, gguf-py/gguf/constants.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec

from models.formats.gguf_writer import Value
from models.to_gguf.refusal import NotConvertible
from models.to_gguf.rope import Rope, read_rope

ARCHITECTURES = {
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "llama",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
}
"""What can be converted, and the name of the same in GGUF."""

_MAX_SIZE = 2**24
_Size = Annotated[int, msgspec.Meta(ge=1, le=_MAX_SIZE)]


class _Config(msgspec.Struct, frozen=True, kw_only=True):
    architectures: list[str] = []
    hidden_size: _Size
    intermediate_size: _Size
    num_hidden_layers: Annotated[int, msgspec.Meta(ge=1, le=4096)]
    num_attention_heads: _Size
    num_key_value_heads: _Size | None = None
    head_dim: _Size | None = None
    vocab_size: Annotated[int, msgspec.Meta(ge=1, le=2**22)]
    max_position_embeddings: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
    rms_norm_eps: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 1e-6
    hidden_act: str = "silu"
    tie_word_embeddings: bool = False
    sliding_window: _Size | None = None
    use_sliding_window: bool | None = None
    quantization_config: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """The shape of a network that can be converted. `architecture` is GGUF's name."""

    architecture: str
    num_layers: int
    width: int
    feed_forward: int
    num_heads: int
    num_kv_heads: int
    head_width: int
    vocab_size: int
    context_tokens: int
    norm_epsilon: float
    is_tied: bool
    rope: Rope

    @property
    def is_permuted(self) -> bool:
        """Return whether GGUF has the two halves of each head's rotary pairs side by side."""
        return self.architecture == "llama"

    def metadata(self) -> dict[str, Value]:
        """Return the keys that tell llama.cpp of the shape."""
        sizes: dict[str, Value] = {
            "vocab_size": self.vocab_size,
            "block_count": self.num_layers,
            "context_length": self.context_tokens,
            "embedding_length": self.width,
            "feed_forward_length": self.feed_forward,
            "attention.head_count": self.num_heads,
            "attention.head_count_kv": self.num_kv_heads,
            "attention.key_length": self.head_width,
            "attention.value_length": self.head_width,
            "attention.layer_norm_rms_epsilon": self.norm_epsilon,
            "rope.dimension_count": self.head_width,
            "rope.freq_base": self.rope.base,
            **{f"rope.scaling.{key}": value for key, value in self.rope.scaling.items()},
        }
        return {f"{self.architecture}.{key}": value for key, value in sizes.items()}


def read_network(folder: Path) -> Network:
    """Return the network in a folder. Raises: NotConvertible, where it is another, or one that is not understood."""
    path = folder / "config.json"
    try:
        content = path.read_bytes()
        fields = msgspec.json.decode(content, type=dict[str, Any])
        _check_architecture(fields)
        config = msgspec.json.decode(content, type=_Config)
    except OSError as error:
        raise NotConvertible(f"{path} cannot be read: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise NotConvertible(f"{path} is damaged: {error}") from None
    return _network(config, fields)


def _check_architecture(fields: Mapping[str, Any]) -> None:
    names = fields.get("architectures")
    name = names[0] if isinstance(names, list) and names else None
    if not isinstance(name, str) or name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise NotConvertible(f"the architecture {name or '(none)'} cannot be converted to GGUF; these can: {known}")
    if fields.get("quantization_config"):
        raise NotConvertible("its weights are quantized already; take the folder with the float weights")


def _network(config: _Config, fields: Mapping[str, Any]) -> Network:
    if config.hidden_act not in ("silu", "swish"):
        raise NotConvertible(f"its activation is {config.hidden_act!r}, which GGUF does not say of such a network")
    if config.head_dim is None and config.hidden_size % config.num_attention_heads:
        raise NotConvertible("its width does not divide into its heads")
    num_kv_heads = config.num_key_value_heads or config.num_attention_heads
    head_width = config.head_dim or config.hidden_size // config.num_attention_heads
    if config.num_attention_heads % num_kv_heads or head_width % 2:
        raise NotConvertible("its heads do not divide into those of its keys, or are of an odd width")
    return Network(
        architecture=ARCHITECTURES[config.architectures[0]],
        num_layers=config.num_hidden_layers,
        width=config.hidden_size,
        feed_forward=config.intermediate_size,
        num_heads=config.num_attention_heads,
        num_kv_heads=num_kv_heads,
        head_width=head_width,
        vocab_size=config.vocab_size,
        context_tokens=_context_tokens(config),
        norm_epsilon=config.rms_norm_eps,
        is_tied=config.tie_word_embeddings,
        rope=read_rope(fields, head_width, config.max_position_embeddings),
    )


def _context_tokens(config: _Config) -> int:
    """Return the longest context: llama.cpp knows no window in these architectures, so it ends where one begins."""
    has_window = config.architectures[0] == "MistralForCausalLM" or config.use_sliding_window
    window = config.sliding_window if has_window else None
    return min(config.max_position_embeddings, window or config.max_position_embeddings)
