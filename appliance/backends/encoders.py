"""What encoders of all backends share: their traits, and the pooling of one vector from many."""

from typing import Literal

import numpy as np

from appliance.backends.base import RowArray
from appliance.core.plan import LoadPlan
from appliance.core.traits import ModelTraits


def encoder_traits(
    plan: LoadPlan, task: Literal["embed", "score"], *, vocab_size: int, max_tokens: int, row_width: int
) -> ModelTraits:
    """Return the traits of a model without a KV cache; `max_tokens` is the longest input that it reads."""
    return ModelTraits(
        task=task,
        vocab_size=vocab_size,
        max_context_tokens=max_tokens,
        kv_capacity_tokens=0,
        max_sequences=plan.max_sequences,
        max_step_sequences=plan.max_step_sequences,
        max_step_tokens=plan.max_step_tokens,
        max_step_outputs=plan.max_step_sequences,
        chunk_multiple_tokens=1,
        copy_cost="shared",
        retain="no",
        can_truncate=True,
        is_batch_invariant=True,
        kv_bytes_per_token=0,
        max_adapters_per_step=0,
        row_width=row_width,
    )


def normalized(rows: RowArray) -> RowArray:
    """Return the rows with a length of 1; one of zeros stays as it is."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    return np.asarray(rows / np.where(lengths > 0, lengths, 1)[:, None], np.float32)
