"""How much memory a model will need on our kernels, from its shape: pure arithmetic."""

from appliance.backends.tvm.limits import ADOPTED_QUANTIZATIONS, KV_BYTES_OF_32, MAX_STEP_OUTPUTS
from appliance.core.plan import MemoryEstimate, StepLimits
from models.manifest import ModelDetails

_PROCESS_BYTES = 96 * 2**20
_FLOAT_BYTES = 4
_GROUP, _QUANTIZED_GROUP_BYTES = 32, 34


def estimate(details: ModelDetails | None, limits: StepLimits, kv_type: str) -> MemoryEstimate:
    """Return the need of a model. What its file does not tell counts as nothing."""
    known = details or ModelDetails()
    head_width = (known.key_length or 0) + (known.value_length or 0)
    widths = 3 * (known.feed_forward_length or 0) + 6 * (known.embedding_length or 0)
    logits_bytes = MAX_STEP_OUTPUTS * (known.vocab_size or 0) * _FLOAT_BYTES
    return MemoryEstimate(
        weights_bytes=_weights_bytes(known),
        kv_bytes_per_token=(known.total_kv_heads or 0) * head_width * KV_BYTES_OF_32[kv_type] // 32,
        kv_type=kv_type,
        scratch_bytes=_PROCESS_BYTES + logits_bytes + limits.max_step_tokens * widths * _FLOAT_BYTES,
    )


def _weights_bytes(known: ModelDetails) -> int:
    """Return the weights as the kernels keep them: the file's own codes, else 8 bits and a scale for each group."""
    if known.quantization in ADOPTED_QUANTIZATIONS or known.num_parameters is None:
        return known.weights_bytes or 0
    return known.num_parameters * _QUANTIZED_GROUP_BYTES // _GROUP
