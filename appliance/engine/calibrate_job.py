"""The child process of the job `calibrate`: one way of running a model, measured with the threads that it would have.

It is stopped whenever somebody needs the machine, and goes on when nobody does.
"""

import time
from collections.abc import Callable
from functools import partial

from appliance.backends import loading
from appliance.backends.base import Batch, EncoderInput, LoadedEncoder, LoadedListener, LoadedModel, Run
from appliance.backends.speed import any_tokens, measure_decode, measure_input, measure_prefill
from appliance.child import Reporter, run_child
from appliance.core.calibration import (
    BATCH_SEQUENCES,
    CONTEXT_TOKENS,
    GENERATED_TOKENS,
    PROMPT_TOKENS,
    CalibrateArguments,
    Calibrated,
)
from appliance.core.measurement import Measurement, ModelSpeed, PrefillSpeed
from appliance.core.plan import Calibration, LoadPlan

from .contention import process_probe
from .points import PointsFile
from .threads import calibrate as calibrate_threads

MAX_PROMPT_S = 20.0
"""A prompt that would take longer is measured shorter."""
_WARM_UP_TOKENS = 16
_NUM_POINTS = 4


def calibrate(arguments: CalibrateArguments, report: Reporter) -> Calibrated:
    """Do the job. Raises: ApplianceError."""
    plan, file = arguments.plan, PointsFile(report, _NUM_POINTS)
    file.progress("loading")
    model = loading.open_backend(plan.backend).load(plan, lambda ratio: None)
    assert not isinstance(model, LoadedListener), "models that hear are never ordered to be measured"
    try:
        speed = _read_inputs(model, file) if isinstance(model, LoadedEncoder) else _write(model, plan, file)
    finally:
        model.close()
    points = file.points
    measurement = Measurement(
        speed=speed,
        memory_bytes=points.memory_bytes,
        estimated_bytes=plan.estimated_bytes,
        threads_decode=points.threads.threads_decode if points.threads else plan.threads_decode,
        threads_prefill=points.threads.threads_prefill if points.threads else plan.threads_prefill,
        measured_s=time.time(),
        is_disturbed=points.is_disturbed,
    )
    return Calibrated(measurement=measurement, threads=points.threads)


def _read_inputs(model: LoadedEncoder, file: PointsFile) -> ModelSpeed:
    """Measure inputs of two lengths: a model that embeds or scores does nothing else."""
    tokens = any_tokens(0, model.traits.max_context_tokens, model.traits.vocab_size)
    model.embed([EncoderInput(tokens[:_WARM_UP_TOKENS])])

    def read(num_tokens: int) -> float:
        return file.rate(f"inputs of {num_tokens} tokens", partial(measure_input, model, tokens[:num_tokens]))

    return ModelSpeed(prefill=_prefill(read, len(tokens)))


def _write(model: LoadedModel, plan: LoadPlan, file: PointsFile) -> ModelSpeed:
    """Measure prompts of two lengths, then one and eight sequences that generate."""
    tokens = any_tokens(0, model.traits.max_context_tokens - GENERATED_TOKENS, model.traits.vocab_size)
    model.step(Batch((Run(0, 0, tokens[:_WARM_UP_TOKENS], 1),)))  # touches the weights, which may come from a disk
    model.truncate(0, 0)
    _set_threads(model, plan, file)

    def read(num_tokens: int) -> float:
        return file.rate(f"prompts of {num_tokens} tokens", partial(measure_prefill, model, tokens[:num_tokens]))

    prefill = _prefill(read, len(tokens))
    context = tokens[: min(CONTEXT_TOKENS, prefill[-1].num_tokens)]
    share_tokens = model.traits.kv_capacity_tokens // BATCH_SEQUENCES - GENERATED_TOKENS
    eight = partial(measure_decode, model, context[:share_tokens], BATCH_SEQUENCES)
    return ModelSpeed(
        prefill=prefill,
        decode_1_tokens_per_s=file.rate("one chat", partial(measure_decode, model, context, 1)),
        decode_8_tokens_per_s=file.rate("eight chats", eight) if share_tokens > 0 else None,
    )


def _set_threads(model: LoadedModel, plan: LoadPlan, file: PointsFile) -> None:
    """Give the model the threads that a worker would find best; without candidates the plan's are known to be."""

    def measure() -> Calibration | None:
        return calibrate_threads(model, plan.thread_candidates, process_probe(), time.monotonic)

    if (threads := file.threads(measure)) is not None:
        model.set_threads(threads.threads_decode, threads.threads_prefill)


def _prefill(read: Callable[[int], float], room_tokens: int) -> tuple[PrefillSpeed, ...]:
    """Return the speeds at two lengths: a short one, and what can be read in reasonable time of a long one."""
    short, long = (min(num_tokens, room_tokens) for num_tokens in PROMPT_TOKENS)
    found = [PrefillSpeed(num_tokens=short, tokens_per_s=read(short))]
    long = min(long, max(short, int(found[0].tokens_per_s * MAX_PROMPT_S)))
    if long >= 2 * short:
        found.append(PrefillSpeed(num_tokens=long, tokens_per_s=read(long)))
    return tuple(found)


if __name__ == "__main__":
    run_child(calibrate, CalibrateArguments)
