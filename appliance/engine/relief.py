"""The ladder where a device runs out of memory: give caches back, then compute less at once."""

import logging

from appliance.core.messages import MemoryPressure
from appliance.core.traits import ModelTraits
from appliance.errors import OutOfDeviceMemory

from .batcher import smaller_steps
from .kv import KVCache

_log = logging.getLogger(__name__)


def relieve(error: OutOfDeviceMemory, kv: KVCache, traits: ModelTraits) -> tuple[ModelTraits, MemoryPressure]:
    """Climb one rung; return the limits from now on, and what was given up.

    Raises: OutOfDeviceMemory, when nothing is left; the daemon then loads the model with a smaller context.
    """
    if kv.gives_memory_back:
        kv.clear()
        measure = "gave back what was kept of earlier prompts"
    elif (smaller := smaller_steps(traits)) is not None:
        traits = smaller
        measure = f"steps compute at most {smaller.max_step_tokens} tokens from now on"
    else:
        raise error
    _log.warning("out of memory (%s): %s", error.message, measure)
    return traits, MemoryPressure(measure=measure)
