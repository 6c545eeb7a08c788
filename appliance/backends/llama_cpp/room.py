"""What converting, quantizing and comparing GGUF files take of memory and disk."""

from collections.abc import Sequence

from appliance.backends.held_out import MAX_TOKENS
from appliance.backends.llama_cpp.estimate import estimate
from appliance.backends.llama_cpp.reading import STEP_TOKENS
from appliance.backends.llama_cpp.types import most_bytes
from appliance.backends.room import Room
from appliance.core.plan import StepLimits
from models.manifest import ModelDetails

_LIMITS = StepLimits(max_sequences=1, max_step_sequences=1, max_step_tokens=STEP_TOKENS)
_CONTEXT_TOKENS = 1024
_FLOAT_BYTES = 4
# Measured with 0.5 billion parameters: reading and writing a few rows at a time, beside the vocabulary's texts.
_CONVERT_BYTES = 512 * 2**20


def room_to_compare(details: ModelDetails, types: Sequence[str], *, are_kept: bool) -> Room:
    """Return the room to quantize to the types, one after another, and to compare each with the source.

    In memory is one model at a time, the source at most. On the disk lie what the source says of the texts and the
    file that is being judged; of those that are kept all do, with the store's copies.
    """
    need = estimate(details, _LIMITS)
    memory_bytes = need.weights_bytes + need.scratch_bytes + _CONTEXT_TOKENS * need.kv_bytes_per_token
    said_bytes = MAX_TOKENS * (details.vocab_size or 0) * _FLOAT_BYTES
    made = [most_bytes(each, details.num_parameters or 0) for each in types]
    files_bytes = 2 * sum(made) if are_kept else max(made)
    return Room(memory_bytes, said_bytes + files_bytes)


def room_to_convert(size_bytes: int) -> Room:
    """Return the room to write a file of that size, and the store's copy of it."""
    return Room(_CONVERT_BYTES, 2 * size_bytes)
