"""What a Whisper model is to the engine: its limits, its special tokens. Reading it needs no library."""

import numpy as np

from appliance.backends.base import SpeechTokens
from appliance.core.plan import LoadPlan
from appliance.core.traits import ModelTraits
from models.formats.speech_config import SpeechConfig

MAX_RECORDINGS = 4
"""How many are heard at once, window by window in turns: each holds its spectrum, and one of a class a window."""

# Whisper tells time in steps of 20 ms, one for each position of its encoder
_TIMESTAMP_S = 0.02
_VALUE_BYTES = 4


def speech_tokens(config: SpeechConfig) -> SpeechTokens:
    """Return the special tokens. Those between text and timestamps are never said, whatever the files suppress."""
    named = config.tokens
    control = set(range(named["end"] + 1, named["no_timestamps"] + 1))
    return SpeechTokens(
        start=named["start"],
        end=named["end"],
        previous=named["previous"],
        no_speech=named["no_speech"],
        no_timestamps=named["no_timestamps"],
        first_timestamp=named["no_timestamps"] + 1,
        tasks=config.tasks,
        languages=config.languages,
        suppressed=_within(control | set(config.suppressed), config.vocab_size),
        suppressed_first=_within(set(config.suppressed_first), config.vocab_size),
        timestamp_s=_TIMESTAMP_S,
    )


def speech_traits(plan: LoadPlan, config: SpeechConfig) -> ModelTraits:
    """Return the traits of a model that hears: a text of its own for each window, and nothing kept between two."""
    return ModelTraits(
        task="transcribe",
        vocab_size=config.vocab_size,
        max_context_tokens=config.max_tokens,
        kv_capacity_tokens=0,
        max_sequences=MAX_RECORDINGS,
        max_step_sequences=MAX_RECORDINGS,
        max_step_tokens=plan.max_step_tokens,
        max_step_outputs=1,
        chunk_multiple_tokens=1,
        copy_cost="shared",
        retain="no",
        can_truncate=False,
        is_batch_invariant=True,
        kv_bytes_per_token=2 * config.num_layers * config.num_heads * config.head_width * _VALUE_BYTES,
        max_adapters_per_step=0,
        can_set_threads=False,
    )


def _within(tokens: set[int], vocab_size: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.array(sorted(token for token in tokens if 0 <= token < vocab_size), np.int32)
