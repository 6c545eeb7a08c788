"""The sizes of a Qwen2 network with tied embeddings; the defaults are the embedded model's."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """With the default numbers the network has about 0.9 million parameters."""

    num_layers: int = 4
    width: int = 128
    num_heads: int = 4
    num_kv_heads: int = 2
    feed_forward: int = 384
    vocabulary_size: int = 1024
    context_length_tokens: int = 2048
    rope_base: float = 10_000.0
    norm_epsilon: float = 1e-6

    @property
    def head_width(self) -> int:
        """Return the length of one head's query."""
        return self.width // self.num_heads

    @property
    def kv_width(self) -> int:
        """Return the length of a token's keys in one layer, which is also that of its values."""
        return self.head_width * self.num_kv_heads
