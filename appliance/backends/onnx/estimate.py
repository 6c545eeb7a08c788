"""How much memory a decoder in ONNX will need, from its shape: pure arithmetic, checked against measured workers.

Measured in the shape of Qwen2.5-0.5B, two threads, a process of 60 MiB without a model: loaded 565 MiB for 303 MiB of
int4 in blocks of 32, 420 MiB for 259 MiB of int4 in blocks of 128, 591 MiB for 1013 MiB of int8 of which 520 MiB are a
table of floats that stays in the file's pages; 2.6 GB for 2.0 GB of floats. The first step of 512 tokens adds 50 MiB.
"""

from appliance.backends.onnx.limits import KV_BYTES, MAX_STEP_OUTPUTS
from appliance.core.plan import MemoryEstimate, StepLimits
from appliance.core.request import PRIORITY_RANK
from models.manifest import ModelDetails

_FLOAT_BYTES = 4
_PROCESS_BYTES = 64 * 2**20
# Only for models that were taken in before their graph was asked (`loaded_size`): the library packs a copy of weights.
_LOADED_RATIO = {"int4": 1.65, "int8": 1.1}
_LOADED_RATIO_OF_FLOATS = 1.35
_SPEECH_POSITIONS = 1500  # of 30 s
# The process without a model, what decodes sound, and the spectra of four recordings of half an hour
_SPEECH_PROCESS_BYTES = 320 * 2**20


def estimate(details: ModelDetails | None, limits: StepLimits, kv_type: str = "f32") -> MemoryEstimate:
    """Return the need of a model on the processor. What its files do not tell counts as nothing."""
    known = details or ModelDetails()
    if known.is_transcriber:
        return _of_speech(known, kv_type)
    weights_bytes = known.loaded_bytes
    if weights_bytes is None:
        ratio = _LOADED_RATIO.get(known.quantization or "", _LOADED_RATIO_OF_FLOATS)
        weights_bytes = int((known.weights_bytes or 0) * ratio)
    head_width = (known.key_length or 0) + (known.value_length or 0)
    num_rows = MAX_STEP_OUTPUTS + limits.max_sequences
    embedding_length = known.embedding_length or 0
    widths = 2 * (known.feed_forward_length or 4 * embedding_length) + 4 * embedding_length
    num_values = num_rows * (known.vocab_size or 0) + limits.max_step_tokens * widths
    return MemoryEstimate(
        weights_bytes=weights_bytes,
        kv_bytes_per_token=(known.total_kv_heads or 0) * head_width * KV_BYTES[kv_type],
        kv_type=kv_type,
        scratch_bytes=_PROCESS_BYTES + num_values * _FLOAT_BYTES,
    )


def _of_speech(details: ModelDetails, kv_type: str) -> MemoryEstimate:
    """Return the need of a model that hears: its keys and values live as long as a window, so they are scratch.

    A window of each class may be under way, each with what the encoder made of it in every layer of the decoder.
    """
    width, num_layers, num_heads = details.embedding_length or 0, details.num_layers or 0, details.num_heads or 0
    window = (1 + 2 * num_layers) * _SPEECH_POSITIONS * width
    encoding = _SPEECH_POSITIONS * (2 * num_heads * _SPEECH_POSITIONS + 10 * width)
    ratio = _LOADED_RATIO.get(details.quantization or "", _LOADED_RATIO_OF_FLOATS)
    return MemoryEstimate(
        weights_bytes=int((details.weights_bytes or 0) * ratio),
        kv_bytes_per_token=0,
        kv_type=kv_type,
        scratch_bytes=_SPEECH_PROCESS_BYTES + _FLOAT_BYTES * (len(PRIORITY_RANK) * window + encoding),
    )
