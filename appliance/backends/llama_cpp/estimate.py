"""How much memory a GGUF model will need, from its shape: pure arithmetic, checked against measured workers.

Measured with full contexts (`tests/bench/memory.py`), in the shape of Qwen2.5-0.5B, Q4_0: 583 MiB at most with a KV
cache of 2,048 tokens, 661 MiB with 8,192; the formula says 583 and 661. In that of 3B with 1,024 tokens: 2,123 and
2,117 MiB. Beside the weights of its projector, a model that sees took 30 MiB more with the sizes of LLaVA 1.5, 150 MiB
with those of Gemma 3 and 210 MiB with those of Qwen2-VL and pictures of 1,024 tokens; embeddings that are kept and a
large photograph on its way come on top.
"""

from appliance.backends.llama_cpp.limits import cell_bytes, num_output_rows
from appliance.core.plan import MemoryEstimate, StepLimits
from models.manifest import ModelDetails

KV_TYPE = "f16"
_PROCESS_BYTES = 112 * 2**20
_MEDIA_BYTES = 320 * 2**20
_FLOAT_BYTES, _MASK_BYTES = 4, 2


def estimate(details: ModelDetails | None, limits: StepLimits, kv_type: str = KV_TYPE) -> MemoryEstimate:
    """Return the need of a model on the processor. What its file does not tell counts as nothing."""
    known = details or ModelDetails()
    head_width = (known.key_length or 0) + (known.value_length or 0)
    num_rows = num_output_rows(limits.max_sequences + 1)
    # The rows lie in memory twice, as the graph's last tensor and where the caller reads them.
    rows_bytes = 2 * num_rows * (known.vocab_size or 0) * _FLOAT_BYTES
    widths = 3 * (known.feed_forward_length or 0) + 6 * (known.embedding_length or 0)
    return MemoryEstimate(
        weights_bytes=(known.weights_bytes or 0) + (known.projector_bytes or 0),
        # Beside its keys and values, a cell has a place in the attention mask of every token of a step.
        kv_bytes_per_token=(known.total_kv_heads or 0) * cell_bytes(head_width, kv_type)
        + _MASK_BYTES * limits.max_step_tokens,
        kv_type=kv_type,
        scratch_bytes=_PROCESS_BYTES
        + rows_bytes
        + limits.max_step_tokens * widths * _FLOAT_BYTES
        + (_MEDIA_BYTES if known.projector_bytes else 0),
    )
