"""What is known of a graph that serves: the description beside the prepared file. Reading it needs no library."""

from typing import Literal

import msgspec

from appliance.backends.onnx.limits import KV_BYTES

KvType = Literal["f32", "int8"]


class KvLayer(msgspec.Struct, frozen=True, kw_only=True):
    """The cache of one layer: the graph's names for it and its shape, `(batch, num_heads, num_tokens, head_width)`."""

    past_key: str
    past_value: str
    present_key: str
    present_value: str
    num_heads: int
    head_width: int


class DecoderLayout(msgspec.Struct, frozen=True, kw_only=True, tag="decoder"):
    """A decoder. `weight_type` is that of most matrices; a batch-invariant one computes a row as if it were alone.

    Keys and values are `kv_type`; `notes` say what was changed in the exporter's graph to make it serve better.
    """

    layers: tuple[KvLayer, ...]
    vocab_size: int
    has_position_ids: bool
    weight_type: str
    is_batch_invariant: bool
    kv_type: KvType = "f32"
    notes: tuple[str, ...] = ()

    @property
    def kv_bytes_per_token(self) -> int:
        """Return the size of a token's keys and values in all layers."""
        num_values = sum(2 * layer.num_heads * layer.head_width for layer in self.layers)
        return num_values * KV_BYTES[self.kv_type]


class EncoderLayout(msgspec.Struct, frozen=True, kw_only=True, tag="encoder"):
    """An encoder by its graph alone. `inputs` are those it takes, `output` the one that serves.

    A pooled output is one vector or one row of logits for each text, any other the states of its tokens. `width` is
    None where the graph leaves it open. `has_short_integers`: its inputs have 32 bits.
    """

    inputs: tuple[str, ...]
    has_short_integers: bool
    output: str
    is_pooled: bool
    has_labels: bool
    width: int | None
    weight_type: str
    is_batch_invariant: bool
