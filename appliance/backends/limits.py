"""The limits that a model is loaded with: its context, the room of its KV cache, how much a step takes. Pure."""

from dataclasses import dataclass

from appliance.core.plan import BackendDescriptor, MemoryEstimate, StepLimits
from appliance.core.units import format_bytes
from appliance.errors import DoesNotFit
from appliance.settings import EngineSettings, KvSettings
from models.manifest import ModelDetails

DEFAULT_CONTEXT_TOKENS = 32_768
DEFAULT_KV_CAPACITY_TOKENS = 32_768
DEFAULT_INPUT_TOKENS = 8192
"""How long an input of a model that embeds or scores may be: it is computed in one piece, which takes its memory."""
MIN_CONTEXT_TOKENS = 512
USEFUL_CONTEXT_TOKENS = 4096
"""A way of running a model in which less than this fits is taken only where no other holds more."""
_MAX_STEP_TOKENS = 512
_MAX_SEQUENCES = 64
_MULTIPLE_TOKENS = 256
_MIN_WIDTH, _WIDTH_PER_CORE, _MAX_WIDTH = 16, 8, 32


@dataclass(frozen=True, slots=True)
class Room:
    """What a model gets of the memory. `kept_bytes` are for prefixes that left the KV cache."""

    context_tokens: int
    capacity_tokens: int
    kept_bytes: int
    estimated_bytes: int
    reasons: tuple[str, ...]


def room_for(
    model: str,
    details: ModelDetails | None,
    need: MemoryEstimate,
    limits: StepLimits,
    engine: EngineSettings,
    kv: KvSettings,
    budget_bytes: int,
    most_capacity_tokens: int | None = None,
) -> Room:
    """Return the room that the memory leaves. Raises: DoesNotFit, with what would.

    A KV cache for several sequences ends at `most_capacity_tokens`, where one of them fits in it.
    """
    tokens_that_fit = _tokens_that_fit(model, need, budget_bytes)
    context_tokens, context_reason = _choose_context(details, engine, tokens_that_fit)
    width = limits.max_step_sequences
    capacity_tokens = _choose_capacity(details, context_tokens, engine, tokens_that_fit, width, most_capacity_tokens)
    needed_bytes = need.weights_bytes + need.scratch_bytes + capacity_tokens * need.kv_bytes_per_token
    kept_bytes = _choose_kept(details, kv, capacity_tokens * need.kv_bytes_per_token, budget_bytes - needed_bytes)
    reasons = (context_reason, _memory_reason(capacity_tokens, need, kept_bytes, budget_bytes))
    return Room(context_tokens, capacity_tokens, kept_bytes, needed_bytes + kept_bytes, reasons)


def least_bytes(need: MemoryEstimate, context_tokens: int = MIN_CONTEXT_TOKENS) -> int:
    """Return the memory with which a model can do anything, with one sequence of that length."""
    return need.weights_bytes + need.scratch_bytes + context_tokens * need.kv_bytes_per_token


def useful_context_tokens(details: ModelDetails | None, engine: EngineSettings) -> int:
    """Return the context below which a model is not what was wanted."""
    wanted = [USEFUL_CONTEXT_TOKENS]
    wanted += [engine.context_tokens] if engine.context_tokens else []
    wanted += [details.context_length_tokens] if details is not None and details.context_length_tokens else []
    return min(wanted)


def choose_limits(engine: EngineSettings, num_cores: int) -> StepLimits:
    """Return how much a step takes on so many cores."""
    width = engine.max_step_sequences or _choose_width(num_cores)
    return StepLimits(
        max_sequences=max(_MAX_SEQUENCES, 2 * width),
        max_step_sequences=width,
        max_step_tokens=max(_MAX_STEP_TOKENS, width),
    )


def choose_kv_type(
    backend: BackendDescriptor, details: ModelDetails | None, engine: EngineSettings
) -> tuple[str, tuple[str, ...]]:
    """Return the type and why: a setting for all models cannot refuse those that run elsewhere."""
    own, wanted = backend.kv_types[0], engine.kv_type
    if wanted == "auto" or _is_encoder(details):
        return own, ()
    if wanted in backend.kv_types:
        return wanted, (f"keys and values as {wanted}: set",)
    return own, (f"keys and values as {own}: {backend.name} does not offer {wanted}",)


def largest_call(details: ModelDetails | None, engine: EngineSettings, limits: StepLimits) -> StepLimits:
    """Return the limits whose memory counts: an encoder reads its longest input in one piece, one after another."""
    if details is None or not _is_encoder(details):
        return limits
    wanted_tokens = engine.context_tokens or DEFAULT_INPUT_TOKENS
    longest_tokens = min(wanted_tokens, details.context_length_tokens or wanted_tokens)
    max_step_tokens = max(limits.max_step_tokens, longest_tokens)
    return StepLimits(max_sequences=1, max_step_sequences=1, max_step_tokens=max_step_tokens)


def _memory_reason(capacity_tokens: int, need: MemoryEstimate, kept_bytes: int, budget_bytes: int) -> str:
    kv_bytes = capacity_tokens * need.kv_bytes_per_token
    if not kv_bytes:
        return f"{format_bytes(need.weights_bytes)} of weights, of {format_bytes(budget_bytes)} that may be used"
    return (
        f"a KV cache of {capacity_tokens} tokens takes {format_bytes(kv_bytes)}, prefixes that left it "
        f"{format_bytes(kept_bytes)} at most, beside {format_bytes(need.weights_bytes)} of weights, "
        f"of {format_bytes(budget_bytes)} that may be used"
    )


def _tokens_that_fit(model: str, need: MemoryEstimate, budget_bytes: int) -> int:
    least = least_bytes(need)
    if least > budget_bytes:
        raise DoesNotFit(
            f"model '{model}' needs {format_bytes(least)} with a context of {MIN_CONTEXT_TOKENS} tokens, "
            f"{format_bytes(max(0, budget_bytes))} may be used; try a smaller quantization or unload another model"
        )
    return (budget_bytes - need.weights_bytes - need.scratch_bytes) // max(1, need.kv_bytes_per_token)


def _choose_context(details: ModelDetails | None, engine: EngineSettings, tokens_that_fit: int) -> tuple[int, str]:
    default_tokens = DEFAULT_INPUT_TOKENS if _is_encoder(details) else DEFAULT_CONTEXT_TOKENS
    limits = [
        (engine.context_tokens or default_tokens, "set" if engine.context_tokens else "the default limit"),
        (_round_down(tokens_that_fit), "what the memory holds"),
    ]
    if details is not None and details.context_length_tokens is not None:
        limits.insert(0, (details.context_length_tokens, "the model's own"))
    tokens, why = min(limits, key=lambda limit: limit[0])
    return tokens, f"a context of {tokens} tokens: {why}"


def _choose_width(num_cores: int) -> int:
    """Return how many sequences run in a step: as many as make it faster for each token.

    Measured on two cores with 0.5B parameters in Q4_0: 206, 291, 272 and 274 tokens/s for 8, 16, 24 and 32 sequences.
    With more cores a step waits for memory longer, which more sequences share.
    """
    return min(max(_MIN_WIDTH, _WIDTH_PER_CORE * num_cores), _MAX_WIDTH)


def _choose_capacity(
    details: ModelDetails | None,
    context_tokens: int,
    engine: EngineSettings,
    tokens_that_fit: int,
    width: int,
    most_tokens: int | None,
) -> int:
    """Return room for several sequences, but by default for no more than half of the memory that is left."""
    if _is_encoder(details):
        return context_tokens
    if engine.kv_capacity_tokens is not None:
        return max(context_tokens, min(engine.kv_capacity_tokens, _round_down(tokens_that_fit)))
    wanted = min(DEFAULT_KV_CAPACITY_TOKENS, context_tokens * width, most_tokens or DEFAULT_KV_CAPACITY_TOKENS)
    return max(context_tokens, min(wanted, _round_down(tokens_that_fit // 2)))


def _choose_kept(details: ModelDetails | None, kv: KvSettings, kv_bytes: int, left_bytes: int) -> int:
    """Return the memory for prefixes that left the KV cache: by default half of it, and never more than what is left.

    What is left is nothing where a context that was set takes more than the memory holds.
    """
    if _is_encoder(details):
        return 0
    wanted_bytes = kv_bytes // 2 if kv.memory_bytes is None else kv.memory_bytes
    return max(0, min(wanted_bytes, left_bytes))


def _is_encoder(details: ModelDetails | None) -> bool:
    return details is not None and details.task != "generate"


def _round_down(num_tokens: int) -> int:
    return num_tokens // _MULTIPLE_TOKENS * _MULTIPLE_TOKENS
