"""The pure choice of how a model runs on this machine: backend, context, KV capacity, threads, and the reasons."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from appliance.backends.registry import estimate
from appliance.core.hardware import HardwareSnapshot
from appliance.core.plan import Artefact, BackendDescriptor, LoadPlan, MemoryEstimate, SnapshotTiers, StepLimits
from appliance.core.units import format_bytes
from appliance.errors import BackendError, DoesNotFit
from appliance.settings import EngineSettings, KvSettings
from models.manifest import ModelDetails

DEFAULT_CONTEXT_TOKENS = 32_768
DEFAULT_KV_CAPACITY_TOKENS = 32_768
DEFAULT_INPUT_TOKENS = 8192
"""How long an input of a model that embeds or scores may be: it is computed in one piece, which takes its memory."""
MIN_CONTEXT_TOKENS = 512
_MAX_STEP_TOKENS = 512
_MAX_SEQUENCES = 64
_MULTIPLE_TOKENS = 256
_MIN_WIDTH, _WIDTH_PER_CORE, _MAX_WIDTH = 16, 8, 32


@dataclass(frozen=True, slots=True)
class Requirement:
    """What would run a model, with which limits, and the memory that it would need."""

    backend: BackendDescriptor
    limits: StepLimits
    need: MemoryEstimate
    kv_reasons: tuple[str, ...]


def require(
    model: str,
    artefact: Artefact,
    details: ModelDetails | None,
    snapshot: HardwareSnapshot,
    descriptors: Sequence[BackendDescriptor],
    settings: EngineSettings,
) -> Requirement:
    """Return what a model needs, whatever the memory that is there. Raises: BackendError (nothing here runs it)."""
    backend = _choose_backend(model, artefact, details, descriptors)
    limits = _choose_limits(settings, snapshot.processor.usable_cores)
    kv_type, kv_reasons = _choose_kv_type(backend, details, settings)
    need = estimate(backend.name, artefact, details, _largest_call(details, settings, limits), kv_type)
    return Requirement(backend, limits, need, kv_reasons)


def select(
    model: str,
    artefact: Artefact,
    details: ModelDetails | None,
    snapshot: HardwareSnapshot,
    descriptors: Sequence[BackendDescriptor],
    settings: EngineSettings,
    kv: KvSettings,
    *,
    memory_available_bytes: int,
    memory_reserve_ratio: float,
) -> LoadPlan:
    """Return the plan for a model. Raises: BackendError (nothing here runs it), DoesNotFit, both with what mends it."""
    required = require(model, artefact, details, snapshot, descriptors, settings)
    backend, limits, need, kv_reasons = required.backend, required.limits, required.need, required.kv_reasons
    budget_bytes = memory_available_bytes - int(memory_reserve_ratio * snapshot.memory.total_bytes)
    tokens_that_fit = _tokens_that_fit(model, need, budget_bytes)
    context_tokens, context_reason = _choose_context(details, settings, tokens_that_fit)
    capacity_tokens = _choose_capacity(details, context_tokens, settings, tokens_that_fit, limits.max_step_sequences)
    needed_bytes = need.weights_bytes + need.scratch_bytes + capacity_tokens * need.kv_bytes_per_token
    kept_bytes = _choose_kept(details, kv, capacity_tokens * need.kv_bytes_per_token, budget_bytes - needed_bytes)
    threads = settings.threads or snapshot.processor.usable_cores
    return LoadPlan(
        model=model,
        backend=backend.name,
        artefact=artefact,
        device="cpu",
        context_tokens=context_tokens,
        kv_capacity_tokens=capacity_tokens,
        max_sequences=limits.max_sequences,
        max_step_sequences=limits.max_step_sequences,
        max_step_tokens=limits.max_step_tokens,
        threads_decode=threads,
        threads_prefill=threads,
        kv_type=need.kv_type,
        gpu_layers=0,
        step_time_target_s=settings.step_time_target_s,
        provider=settings.provider,
        provider_fallback=settings.provider_fallback,
        accelerators=snapshot.accelerators,
        instructions=snapshot.processor.instructions,
        snapshots=SnapshotTiers(memory_bytes=kept_bytes),
        estimated_bytes=needed_bytes + kept_bytes,
        reasons=(
            f"{backend.name} runs {artefact.format} files here: {backend.message}",
            context_reason,
            _memory_reason(capacity_tokens, need, kept_bytes, budget_bytes),
            *kv_reasons,
            f"{threads} threads: " + ("set" if settings.threads else "one for each physical core that may be used"),
        ),
    )


def _choose_backend(
    model: str, artefact: Artefact, details: ModelDetails | None, descriptors: Sequence[BackendDescriptor]
) -> BackendDescriptor:
    able = [descriptor for descriptor in descriptors if artefact.format in descriptor.formats]
    if not able:
        which = f"{descriptors[0].name} does not run" if len(descriptors) == 1 else "no backend runs"
        raise BackendError(f"model '{model}' is a {artefact.format} file, which {which}{_conversion(artefact)}")
    knowing = [descriptor for descriptor in able if _knows(descriptor, details)]
    if not knowing:
        architecture = details.architecture if details is not None else None
        reason = f"the architecture {architecture!r} is not one that {able[0].name} runs"
        raise BackendError(f"model '{model}': {reason}{_conversion(artefact)}")
    ready = [descriptor for descriptor in knowing if descriptor.state == "ready"]
    if not ready:
        first = knowing[0]
        mend = f"; mend it with: {first.mend}" if first.mend else _conversion(artefact)
        raise BackendError(f"model '{model}' needs the backend {first.name}: {first.message}{mend}")
    return ready[0]


def _knows(descriptor: BackendDescriptor, details: ModelDetails | None) -> bool:
    architecture = details.architecture if details is not None else None
    return descriptor.architectures is None or architecture is None or architecture in descriptor.architectures


def _conversion(artefact: Artefact) -> str:
    """Return what helps with a format from which others are made, and with others nothing."""
    folder = PurePath(artefact.path).parent
    return f"; convert it: appliance models convert {folder}" if artefact.format == "safetensors" else ""


def _choose_limits(settings: EngineSettings, num_cores: int) -> StepLimits:
    width = settings.max_step_sequences or _choose_width(num_cores)
    return StepLimits(
        max_sequences=max(_MAX_SEQUENCES, 2 * width),
        max_step_sequences=width,
        max_step_tokens=max(_MAX_STEP_TOKENS, width),
    )


def _choose_kv_type(
    backend: BackendDescriptor, details: ModelDetails | None, settings: EngineSettings
) -> tuple[str, tuple[str, ...]]:
    """Return the type and why: a setting for all models cannot refuse those that run elsewhere."""
    own, wanted = backend.kv_types[0], settings.kv_type
    if wanted == "auto" or _is_encoder(details):
        return own, ()
    if wanted in backend.kv_types:
        return wanted, (f"keys and values as {wanted}: set",)
    return own, (f"keys and values as {own}: {backend.name} does not offer {wanted}",)


def _memory_reason(capacity_tokens: int, need: MemoryEstimate, kept_bytes: int, budget_bytes: int) -> str:
    kv_bytes = capacity_tokens * need.kv_bytes_per_token
    return (
        f"a KV cache of {capacity_tokens} tokens takes {format_bytes(kv_bytes)}, prefixes that left it "
        f"{format_bytes(kept_bytes)} at most, beside {format_bytes(need.weights_bytes)} of weights, "
        f"of {format_bytes(budget_bytes)} that may be used"
    )


def _tokens_that_fit(model: str, need: MemoryEstimate, budget_bytes: int) -> int:
    fixed_bytes = need.weights_bytes + need.scratch_bytes
    least_bytes = fixed_bytes + MIN_CONTEXT_TOKENS * need.kv_bytes_per_token
    if least_bytes > budget_bytes:
        raise DoesNotFit(
            f"model '{model}' needs {format_bytes(least_bytes)} with a context of {MIN_CONTEXT_TOKENS} tokens, "
            f"{format_bytes(max(0, budget_bytes))} may be used; try a smaller quantization or unload another model"
        )
    return (budget_bytes - fixed_bytes) // max(1, need.kv_bytes_per_token)


def _choose_context(details: ModelDetails | None, settings: EngineSettings, tokens_that_fit: int) -> tuple[int, str]:
    default_tokens = DEFAULT_INPUT_TOKENS if _is_encoder(details) else DEFAULT_CONTEXT_TOKENS
    limits = [
        (settings.context_tokens or default_tokens, "set" if settings.context_tokens else "the default limit"),
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
    details: ModelDetails | None, context_tokens: int, settings: EngineSettings, tokens_that_fit: int, width: int
) -> int:
    """Return room for several sequences, but by default for no more than half of the memory that is left."""
    if _is_encoder(details):
        return context_tokens
    if settings.kv_capacity_tokens is not None:
        return max(context_tokens, min(settings.kv_capacity_tokens, _round_down(tokens_that_fit)))
    wanted = min(DEFAULT_KV_CAPACITY_TOKENS, context_tokens * width)
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


def _largest_call(details: ModelDetails | None, settings: EngineSettings, limits: StepLimits) -> StepLimits:
    """Return the limits whose memory counts: an encoder reads its longest input in one piece, one after another."""
    if details is None or not _is_encoder(details):
        return limits
    wanted_tokens = settings.context_tokens or DEFAULT_INPUT_TOKENS
    longest_tokens = min(wanted_tokens, details.context_length_tokens or wanted_tokens)
    max_step_tokens = max(limits.max_step_tokens, longest_tokens)
    return StepLimits(max_sequences=1, max_step_sequences=1, max_step_tokens=max_step_tokens)


def _round_down(num_tokens: int) -> int:
    return num_tokens // _MULTIPLE_TOKENS * _MULTIPLE_TOKENS
