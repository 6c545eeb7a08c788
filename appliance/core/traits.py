"""What the engine must know of a loaded model to plan its steps; never which backend runs it."""

from typing import Literal, NewType

import msgspec

AdapterId = NewType("AdapterId", int)


class MediaSpan(msgspec.Struct, frozen=True, kw_only=True):
    """An image or audio clip that stands in place of tokens in a prompt."""

    kind: Literal["image", "audio"]
    digest: str
    num_tokens: int


class ModelTraits(msgspec.Struct, frozen=True, kw_only=True):
    """Capabilities and limits of one loaded model, in tokens and sequences.

    `max_sequences` handles can hold KV cache at once; a step takes at most `max_step_sequences` runs with
    `max_step_tokens` tokens and returns at most `max_step_outputs` rows of logits. Prefill chunks and prefix matches
    end on multiples of `chunk_multiple_tokens`, counted from position 0.
    """

    task: Literal["generate", "embed"]
    vocab_size: int
    max_context_tokens: int
    kv_capacity_tokens: int
    max_sequences: int
    max_step_sequences: int
    max_step_tokens: int
    max_step_outputs: int
    chunk_multiple_tokens: int
    copy_cost: Literal["shared", "memory"]
    retain: Literal["free", "slows_steps", "no"]
    can_truncate: bool
    is_batch_invariant: bool
    kv_bytes_per_token: int
    max_adapters_per_step: int
