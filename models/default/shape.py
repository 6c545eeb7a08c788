"""The sizes of a decoder network with tied embeddings; the defaults are the embedded model's."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """With the default numbers the network has about 6.5 million parameters.

    Width and feed-forward are multiples of 256, so that every GGUF quantization divides them into whole blocks.
    """

    num_layers: int = 7
    width: int = 256
    num_heads: int = 4
    num_kv_heads: int = 2
    feed_forward: int = 768
    vocabulary_size: int = 4096
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
