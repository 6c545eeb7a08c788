"""What the engine must know of a loaded model to plan its steps; never which backend runs it."""

from typing import Literal, NewType

import msgspec

from .devices import LoadedDevice

AdapterId = NewType("AdapterId", int)
ModelTask = Literal["generate", "embed", "score", "transcribe"]
"""What a model is for: text, a vector for each text, a judgement of each text or pair, or the words of a recording."""


class ModelTraits(msgspec.Struct, frozen=True, kw_only=True):
    """Capabilities and limits of one loaded model, in tokens and sequences.

    `max_sequences` handles can hold KV cache at once; a step takes at most `max_step_sequences` runs with
    `max_step_tokens` tokens and returns at most `max_step_outputs` rows of logits. Prefill chunks and prefix matches
    end on multiples of `chunk_multiple_tokens`, counted from position 0. Where `is_prefill_batched` is False, a step
    computes its prefill chunks one after the other, so that a second one only delays the first.

    Tokens of copies are shared or, where `copy_cost` is "memory", count again. Where `is_batch_invariant`, the logits
    of a sequence are the same, bit by bit, alone and among others, and however its tokens were cut into runs. Where the
    grid is wider than 1, that holds for cuts on the grid that make no other run of a single token: one token alone is
    computed in another way than within a longer run. Where not `can_set_threads`, a model keeps the threads that it was
    loaded with.

    A model that embeds or scores has no KV cache and no call but `embed`, whose rows are `row_width` numbers: the
    embedding, or a logit for each label. `max_step_tokens` is then what one call should hold, but for a longer input.

    `media` are the kinds that it reads beside text. A step applies one set of at most `max_adapters_per_step` LoRA
    adapters to all of its runs.

    `placed` says on what the model is computed, and whether that is what was planned.
    """

    task: ModelTask
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
    is_prefill_batched: bool = True
    can_set_threads: bool = True
    row_width: int = 0
    media: frozenset[Literal["image", "audio"]] = frozenset()
    placed: LoadedDevice = LoadedDevice()
