"""The last step of the ladder where a device has too little memory: the same model with a smaller context. Pure."""

from msgspec.structs import replace

from appliance.core.plan import LoadPlan

MIN_CONTEXT_TOKENS = 512


def shrunk(plan: LoadPlan, num_halvings: int) -> LoadPlan:
    """Return the plan with its context and KV cache halved so often, but never below `MIN_CONTEXT_TOKENS`."""
    if num_halvings == 0:
        return plan
    context_tokens = _halved(plan.context_tokens, num_halvings)
    return replace(
        plan,
        context_tokens=context_tokens,
        kv_capacity_tokens=_halved(plan.kv_capacity_tokens, num_halvings),
        reasons=(*plan.reasons, f"a context of {context_tokens} tokens: a larger one ran out of memory"),
    )


def can_shrink(plan: LoadPlan) -> bool:
    """Return whether a smaller context is left to try."""
    return plan.context_tokens > MIN_CONTEXT_TOKENS


def _halved(num_tokens: int, num_halvings: int) -> int:
    return max(num_tokens >> num_halvings, min(num_tokens, MIN_CONTEXT_TOKENS))
