"""A GGUF model opened through the seam to read texts alone, one after another."""

from pathlib import Path

from appliance.backends.base import LoadedEncoder, LoadedModel
from appliance.backends.llama_cpp.backend import LlamaCppBackend
from appliance.backends.llama_cpp.estimate import KV_TYPE
from appliance.backends.trial_plan import trial_plan
from appliance.core.plan import Artefact

STEP_TOKENS = 512


def artefact_of(path: Path) -> Artefact:
    """Return a file as the seam names it."""
    return Artefact(format="gguf", path=str(path), digest="")


def open_reader(path: Path, num_tokens: int, num_threads: int) -> LoadedModel | LoadedEncoder:
    """Load a file as it is served, for one text of so many tokens at a time. Raises: BackendError."""
    plan = trial_plan(
        "llama_cpp",
        artefact_of(path),
        num_tokens=num_tokens,
        step_tokens=min(STEP_TOKENS, num_tokens),
        num_threads=num_threads,
        kv_type=KV_TYPE,
    )
    return LlamaCppBackend().load(plan, lambda _: None)
