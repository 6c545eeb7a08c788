"""The child that asks the library for its GPUs (`list`), or tries one of them (`try NAME`).

A broken driver may crash or hang, or compute something else: nothing of it happens in a worker before it worked here.
The model that comes with us is small, so a trial takes seconds; it answers through the kernels for a whole prompt and
those for a few tokens.
"""

import argparse
import os
import sys
import time

import msgspec
import numpy as np

from appliance.backends.base import Batch, LogitsArray, Run, TokenArray
from appliance.backends.llama_cpp.adapter import LlamaCppModel
from appliance.backends.llama_cpp.devices import handles, list_gpus
from appliance.backends.llama_cpp.estimate import KV_TYPE
from appliance.backends.llama_cpp.library import load_model
from appliance.backends.trial_plan import trial_plan
from appliance.core.devices import DeviceTrial
from appliance.core.plan import Artefact
from models.embedded import EMBEDDED_PATH, embedded_manifest

_PROMPT_TOKENS, _OUTPUTS = 256, 16
_STEPS = (1, 2, 3, 4, 5, 8, 1)
"""Tokens of the steps behind the prompt: for so many rows libraries have kernels, and errors, of their own."""
_MOST_READINGS, _MOST_READING_S = 5, 1.0  # the first is slower: kernels are compiled, memory is touched
# Nats. Half precision makes 0.005 on average, measured through Vulkan; another answer makes several.
_MOST_DIVERGENCE = 0.1


def trial(name: str) -> DeviceTrial:
    """Compare a GPU's answers and speed with the processor's. Raises: BackendError."""
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    expected, expected_s = _answer(None, threads)
    got, passed_s = _answer(name, threads)
    if not np.isfinite(got).all():
        return DeviceTrial(problem="it computes numbers that are none")
    divergence = float(_divergence(expected, got).mean())
    if divergence > _MOST_DIVERGENCE:
        return DeviceTrial(problem=f"it answers something else than the processor (divergence {divergence:.2g})")
    return DeviceTrial(prefill_ratio=round(expected_s / passed_s, 3))


def _answer(name: str | None, num_threads: int) -> tuple[LogitsArray, float]:
    """Return logits behind a prompt and behind single tokens, and the time of the prompt."""
    plan = trial_plan(
        "llama_cpp",
        Artefact(format="gguf", path=str(EMBEDDED_PATH), digest=""),
        num_tokens=_PROMPT_TOKENS + sum(_STEPS),
        step_tokens=_PROMPT_TOKENS,
        num_threads=num_threads,
        kv_type=KV_TYPE,
    )
    num_layers = (embedded_manifest().details.num_layers or 0) + 1 if name is not None else 0
    plan = msgspec.structs.replace(plan, device=name or plan.device, gpu_layers=num_layers)
    devices = handles(name) if name is not None else None
    loaded = load_model(plan.artefact.path, gpu_layers=num_layers, devices=devices, progress=lambda _: None)
    model = LlamaCppModel(plan, loaded)
    try:
        ids = np.random.default_rng(0).integers(300, model.traits.vocab_size - 16, plan.context_tokens)
        return _read(model, ids.astype(np.int32))
    finally:
        model.close()


def _read(model: LlamaCppModel, tokens: TokenArray) -> tuple[LogitsArray, float]:
    times: list[float] = []
    while not times or (len(times) < _MOST_READINGS and sum(times) < _MOST_READING_S):
        model.truncate(0, 0)
        began_s = time.perf_counter()
        output = model.step(Batch((Run(0, 0, tokens[:_PROMPT_TOKENS], _OUTPUTS),)))
        rows = [output.logits[0].copy()]
        times.append(time.perf_counter() - began_s)
    position = _PROMPT_TOKENS
    for num_tokens in _STEPS:
        run = Run(0, position, tokens[position : position + num_tokens], num_tokens)
        rows.append(model.step(Batch((run,))).logits[0].copy())
        position += num_tokens
    return np.concatenate(rows), min(times)


def _divergence(expected: LogitsArray, got: LogitsArray) -> LogitsArray:
    """Return the Kullback-Leibler divergence of each row, in nats."""
    wanted, found = _log_softmax(expected), _log_softmax(got)
    return np.asarray((np.exp(wanted) * (wanted - found)).sum(axis=1), np.float32)


def _log_softmax(rows: LogitsArray) -> LogitsArray:
    shifted = rows.astype(np.float64) - rows.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def main() -> None:
    """Do what the arguments say and print the outcome; what fails is said in the last line of standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list")
    verbs.add_parser("try").add_argument("name")
    arguments = parser.parse_args()
    try:
        outcome = list_gpus() if arguments.verb == "list" else trial(arguments.name)
    except Exception as error:  # whatever it is, the parent wants it in one line
        sys.stderr.write((" ".join(str(error).split()) or repr(error)) + "\n")
        sys.exit(1)
    sys.stdout.buffer.write(msgspec.json.encode(outcome))
    sys.stdout.flush()
    os._exit(0)  # a driver that crashes when its process ends has done its work by then


if __name__ == "__main__":
    main()
