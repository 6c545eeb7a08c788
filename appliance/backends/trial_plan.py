"""The plan of a model that is loaded to be tried, not to be served: for the quality gate, calibration and speed."""

from appliance.core.plan import Artefact, LoadPlan


def trial_plan(
    backend: str,
    artefact: Artefact,
    *,
    num_tokens: int,
    step_tokens: int,
    num_threads: int,
    kv_type: str,
    num_sequences: int = 1,
) -> LoadPlan:
    """Return a plan for texts of so many tokens on the processor; sequences share the tokens."""
    return LoadPlan(
        model="trial",
        backend=backend,
        artefact=artefact,
        device="cpu",
        context_tokens=num_tokens,
        kv_capacity_tokens=num_tokens,
        max_sequences=num_sequences,
        max_step_sequences=num_sequences,
        max_step_tokens=step_tokens,
        threads_decode=num_threads,
        threads_prefill=num_threads,
        kv_type=kv_type,
        gpu_layers=0,
        step_time_target_s=1.0,
        estimated_bytes=0,
        reasons=(),
    )
