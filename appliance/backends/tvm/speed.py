"""How fast a compiled model is here: a few steps of each kind, in the process that made it."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from appliance.backends.base import Batch, Run
from appliance.backends.tvm.adapter import TvmModel
from appliance.backends.tvm.limits import KV_TYPE
from appliance.backends.tvm.prepared import open_prepared
from appliance.core.kernels import KernelSpeed
from appliance.core.plan import Artefact, LoadPlan

PROMPT_TOKENS, BATCH = 256, 8
_NUM_ROUNDS = 7


def measure(source: Path, compiled: Path, instruction_set: str, num_threads: int) -> KernelSpeed:
    """Return tokens a second of a model that is made ready. Raises: BackendError."""
    model = TvmModel(
        _plan(source, compiled, num_threads),
        open_prepared(source, compiled, instruction_set, num_threads, lambda ratio: None),
    )
    try:
        return KernelSpeed(
            prefill_tokens_per_s=PROMPT_TOKENS / _step_s(model, [PROMPT_TOKENS]),
            decode_tokens_per_s=1 / _step_s(model, [1]),
            decode_8_tokens_per_s=BATCH / _step_s(model, [1] * BATCH),
        )
    finally:
        model.close()


def _step_s(model: TvmModel, counts: Sequence[int]) -> float:
    """Return the time of a step in which each sequence reads so many tokens and gives logits for the last.

    The best of some, after one for the caches: what other programs take meanwhile says nothing of the kernels.
    """
    batch = Batch(tuple(Run(number, 0, np.zeros(count, np.int32), 1) for number, count in enumerate(counts)))
    times = []
    for _ in range(1 + _NUM_ROUNDS):
        started_s = time.perf_counter()
        model.step(batch)
        times.append(time.perf_counter() - started_s)
        for number in range(len(counts)):
            model.truncate(number, 0)
    return min(times[1:])


def _plan(source: Path, compiled: Path, num_threads: int) -> LoadPlan:
    return LoadPlan(
        model="measured",
        backend="tvm",
        artefact=Artefact(format="gguf", path=str(source), digest="", compiled_path=str(compiled)),
        device="cpu",
        context_tokens=PROMPT_TOKENS,
        kv_capacity_tokens=PROMPT_TOKENS,
        max_sequences=BATCH,
        max_step_sequences=BATCH,
        max_step_tokens=PROMPT_TOKENS,
        threads_decode=num_threads,
        threads_prefill=num_threads,
        kv_type=KV_TYPE,
        gpu_layers=0,
        step_time_target_s=1.0,
        estimated_bytes=0,
        reasons=(),
    )
