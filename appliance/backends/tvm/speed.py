"""How fast a compiled model is here, in the process that made it."""

from pathlib import Path

from appliance.backends.speed import any_tokens, measure_decode, measure_prefill
from appliance.backends.trial_plan import trial_plan
from appliance.backends.tvm.adapter import TvmModel
from appliance.backends.tvm.limits import KV_TYPE
from appliance.backends.tvm.prepared import open_prepared
from appliance.core.calibration import GENERATED_TOKENS
from appliance.core.kernels import KernelSpeed
from appliance.core.plan import Artefact

_PROMPT_TOKENS, _CONTEXT_TOKENS, _BATCH = 256, 16, 8


def measure(source: Path, compiled: Path, instruction_set: str, num_threads: int) -> KernelSpeed:
    """Return tokens a second of a model that is made ready. Raises: BackendError."""
    plan = trial_plan(
        "tvm",
        Artefact(format="gguf", path=str(source), digest="", compiled_path=str(compiled)),
        num_tokens=max(_PROMPT_TOKENS, _BATCH * (_CONTEXT_TOKENS + GENERATED_TOKENS)),
        step_tokens=_PROMPT_TOKENS,
        num_threads=num_threads,
        kv_type=KV_TYPE,
        num_sequences=_BATCH,
    )
    model = TvmModel(plan, open_prepared(source, compiled, instruction_set, num_threads, lambda ratio: None))
    prompt = any_tokens(0, _PROMPT_TOKENS, model.traits.vocab_size)
    try:
        return KernelSpeed(
            prefill_tokens_per_s=measure_prefill(model, prompt).tokens_per_s,
            decode_tokens_per_s=measure_decode(model, prompt[:_CONTEXT_TOKENS], 1).tokens_per_s,
            decode_8_tokens_per_s=measure_decode(model, prompt[:_CONTEXT_TOKENS], _BATCH).tokens_per_s,
        )
    finally:
        model.close()
