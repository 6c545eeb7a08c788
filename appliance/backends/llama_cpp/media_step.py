"""One medium of a step: its embeddings go into a sequence, as many at once as the context takes."""

from typing import Any

import numpy as np

from appliance.backends.base import Run
from appliance.backends.llama_cpp.embedding_batch import EmbeddingBatch
from appliance.backends.llama_cpp.library import native
from appliance.backends.llama_cpp.media import Part


def decode_medium(context: Any, run: Run, part: Part, position: int, max_step_tokens: int) -> int:
    """Return the status of `llama_decode`: 0 once all is in; else some may be, which the caller takes out again.

    What looks in both directions needs every one of its tokens in one call; the caller has seen to it that they fit.
    """
    embeddings = part.chunk.embeddings()[part.start : part.end]
    if part.chunk.is_even:
        positions = np.arange(position, position + len(embeddings), dtype=np.int32)[None]
    else:
        positions = part.chunk.positions(position)
    status = 0
    if not part.chunk.is_causal:
        native.llama_set_causal_attn(context, False)
    try:
        for start in range(0, len(embeddings), max_step_tokens):
            end = min(start + max_step_tokens, len(embeddings))
            num_outputs = max(run.num_outputs - (len(embeddings) - end), 0)
            batch = EmbeddingBatch(embeddings[start:end], positions[:, start:end], run.sequence, num_outputs)
            status = native.llama_decode(context, batch.native)
            if status != 0:
                break
    finally:
        if not part.chunk.is_causal:
            native.llama_set_causal_attn(context, True)
    return int(status)
