"""A GGUF model opened through the seam to read texts alone, one after another."""

from pathlib import Path

from appliance.backends.base import LoadedEncoder, LoadedModel
from appliance.backends.llama_cpp.backend import LlamaCppBackend
from appliance.backends.llama_cpp.estimate import KV_TYPE
from appliance.core.plan import Artefact, LoadPlan

STEP_TOKENS = 512


def artefact_of(path: Path) -> Artefact:
    """Return a file as the seam names it."""
    return Artefact(format="gguf", path=str(path), digest="")


def open_reader(path: Path, num_tokens: int, num_threads: int) -> LoadedModel | LoadedEncoder:
    """Load a file as it is served, for one text of so many tokens at a time. Raises: BackendError."""
    plan = LoadPlan(
        model="quality",
        backend="llama_cpp",
        artefact=artefact_of(path),
        device="cpu",
        context_tokens=num_tokens,
        kv_capacity_tokens=num_tokens,
        max_sequences=1,
        max_step_sequences=1,
        max_step_tokens=min(STEP_TOKENS, num_tokens),
        threads_decode=num_threads,
        threads_prefill=num_threads,
        kv_type=KV_TYPE,
        gpu_layers=0,
        step_time_target_s=1.0,
        estimated_bytes=0,
        reasons=(),
    )
    return LlamaCppBackend().load(plan, lambda _: None)
