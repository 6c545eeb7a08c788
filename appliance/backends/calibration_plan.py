"""A plan cut down to what measuring a model needs: a long prompt, and eight sequences that generate. Pure."""

from msgspec.structs import replace

from appliance.backends.registry import estimate
from appliance.core.calibration import BATCH_SEQUENCES, CONTEXT_TOKENS, GENERATED_TOKENS, PROMPT_TOKENS
from appliance.core.plan import LoadPlan, SnapshotTiers, StepLimits
from models.manifest import ModelDetails


def calibration_plan(plan: LoadPlan, details: ModelDetails) -> LoadPlan:
    """Return the plan with a small KV cache and all else as it would be served."""
    writes = details.task == "generate"
    longest_tokens = PROMPT_TOKENS[-1] + (GENERATED_TOKENS if writes else 0)
    context_tokens = min(plan.context_tokens, longest_tokens)
    together_tokens = BATCH_SEQUENCES * (CONTEXT_TOKENS + GENERATED_TOKENS) if writes else 0
    capacity_tokens = max(context_tokens, min(plan.kv_capacity_tokens, together_tokens))
    num_sequences = BATCH_SEQUENCES if writes else 1
    limits = StepLimits(
        max_sequences=num_sequences,
        max_step_sequences=num_sequences,
        max_step_tokens=plan.max_step_tokens if writes else max(plan.max_step_tokens, context_tokens),
    )
    need = estimate(plan.backend, plan.artefact, details, limits, plan.kv_type)
    main_bytes = need.weights_bytes + need.scratch_bytes + capacity_tokens * need.kv_bytes_per_token
    return replace(
        plan,
        context_tokens=context_tokens,
        kv_capacity_tokens=capacity_tokens,
        max_sequences=limits.max_sequences,
        max_step_sequences=limits.max_step_sequences,
        snapshots=SnapshotTiers(),
        estimated_bytes=max(0, main_bytes - plan.device_bytes),
    )
