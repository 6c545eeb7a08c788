"""Whole steps of a decoder on our own kernels, beside llama.cpp's own tools on the same file.

    python tests/shapes.py Q4.gguf --quantization Q4_0; python tests/shapes.py Q8.gguf --quantization Q8_0
    python tests/bench/decoders.py Q4.gguf Q8.gguf [--llama FOLDER] [--threads N] [--rounds 5] [--deep-batches]
        [--compiled FOLDER] [--kv-types f16 int8]

`FOLDER` holds llama-bench and llama-batched-bench; without it only ours is measured. Both sides take turns, each alone
on the machine in its turn. Prints for each file the medians of all rounds in tokens per second and how many times as
fast ours is: the median of the rounds' ratios, with the least and the greatest. `--deep-batches` adds batches of
sequences at 4,000 tokens of context each, for whose prompts llama.cpp takes minutes in every round. `--kv-types` names
those of our side: the first is compared with llama.cpp, whose cache is of f16, and the others with the first.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np

from appliance.backends.base import Batch, LoadedModel, Run
from appliance.backends.loading import open_backend
from appliance.core.plan import Artefact, LoadPlan
from appliance.hardware.probe import probe

PREFILLS, DEEP_PREFILL = (256, 1024), 256
BATCHES = (4, 8, 16)
SHALLOW, DEEP = 64, 4000
DECODE_STEPS, STEP_TOKENS = 32, 512
Figures = dict[str, float]
"""Tokens per second."""


def plan_of(model: Path, compiled: Path, threads: int, is_deep: bool, kv_type: str) -> LoadPlan:
    sequence_tokens = DEEP + DEEP_PREFILL
    return LoadPlan(
        model="bench",
        backend="tvm",
        artefact=Artefact(format="gguf", path=str(model), digest="", compiled_path=str(compiled / model.name)),
        device="cpu",
        context_tokens=sequence_tokens,
        kv_capacity_tokens=sequence_tokens * (max(BATCHES) if is_deep else 3),
        max_sequences=max(BATCHES) + 1,
        max_step_sequences=max(BATCHES),
        max_step_tokens=STEP_TOKENS,
        threads_decode=threads,
        threads_prefill=threads,
        kv_type=kv_type,
        gpu_layers=0,
        step_time_target_s=0.1,
        estimated_bytes=0,
        reasons=(),
        instructions=probe().processor.instructions,
    )


class Ours:
    """Our side: one loaded model."""

    def __init__(self, model: LoadedModel, is_deep: bool) -> None:
        self._model, self._is_deep = model, is_deep
        self._random = np.random.default_rng(0)

    def figures(self) -> Figures:
        """Measure one turn."""
        figures = {}
        for num_tokens in PREFILLS:
            figures[f"prefill {num_tokens}"] = self._prefill(0, num_tokens)
            self._model.truncate(0, 0)
        for num_sequences in (1, *BATCHES):
            figures[f"decode {num_sequences}"] = self._decode(num_sequences, SHALLOW)
        self._prefill(0, DEEP)
        figures[f"prefill {DEEP_PREFILL} at {DEEP}"] = self._prefill(0, DEEP_PREFILL)
        self._model.truncate(0, 0)
        for num_sequences in (1, *BATCHES) if self._is_deep else (1,):
            figures[f"decode {num_sequences} at {DEEP}"] = self._decode(num_sequences, DEEP)
        return figures

    def _prefill(self, sequence: int, num_tokens: int) -> float:
        started_s = time.perf_counter()
        for first in range(0, num_tokens, STEP_TOKENS):
            self._model.step(Batch((self._run(sequence, min(STEP_TOKENS, num_tokens - first)),)))
        return num_tokens / (time.perf_counter() - started_s)

    def _decode(self, num_sequences: int, context: int) -> float:
        """Every sequence has a context of its own, as in a batch of strangers: the first one's, copied."""
        self._prefill(0, context)
        kept = self._model.snapshot(0, 0, context)
        for sequence in range(1, num_sequences):
            self._model.restore(sequence, kept)
        started_s = time.perf_counter()
        for _ in range(DECODE_STEPS):
            self._model.step(Batch(tuple(self._run(sequence, 1) for sequence in range(num_sequences))))
        taken_s = time.perf_counter() - started_s
        for sequence in range(num_sequences):
            self._model.truncate(sequence, 0)
        return num_sequences * DECODE_STEPS / taken_s

    def _run(self, sequence: int, num_tokens: int) -> Run:
        tokens = self._random.integers(0, self._model.traits.vocab_size, num_tokens).astype(np.int32)
        return Run(sequence, self._model.length_tokens(sequence), tokens, 1)


def llama_figures(folder: Path, model: Path, threads: int, is_deep: bool) -> Figures:
    """Measure one turn of the tools."""
    common = ["-m", str(model), "-t", str(threads)]
    bench = [str(folder / "llama-bench"), *common, "-r", "1", "-o", "jsonl"]
    figures = {}
    for line in _lines([*bench, "-p", ",".join(map(str, PREFILLS)), "-n", "0"]):
        figures[f"prefill {line['n_prompt']}"] = line["avg_ts"]
    for line in _lines([*bench, "-p", "0", "-n", str(DECODE_STEPS), "-d", str(SHALLOW)]):
        figures["decode 1"] = line["avg_ts"]
    for line in _lines([*bench, "-p", str(DEEP_PREFILL), "-n", str(DECODE_STEPS), "-d", str(DEEP)]):
        name = f"prefill {DEEP_PREFILL}" if line["n_prompt"] else "decode 1"
        figures[f"{name} at {DEEP}"] = line["avg_ts"]
    for context, suffix in ((SHALLOW, ""), (DEEP, f" at {DEEP}")) if is_deep else ((SHALLOW, ""),):
        cells = max(BATCHES) * (context + DECODE_STEPS)
        sizes = ["-npp", str(context), "-ntg", str(DECODE_STEPS), "-npl", ",".join(map(str, BATCHES)), "-c", str(cells)]
        for line in _lines([str(folder / "llama-batched-bench"), *common, *sizes, "--output-format", "jsonl"]):
            figures[f"decode {line['pl']}{suffix}"] = line["speed_tg"]
    return figures


def _lines(command: list[str]) -> list[dict[str, Any]]:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{command[0]} ended with {done.returncode}; run it alone to see why: {' '.join(command)}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def print_table(kv_type: str, ours: Sequence[Figures], others: Sequence[Figures], against: str) -> None:
    print(f"{f'keys and values {kv_type}':22}{'ours':>10}{against:>12}   times as fast")
    for name in ours[0]:
        median = statistics.median(figures[name] for figures in ours)
        line = f"{name:22}{median:10.1f}"
        if others:
            ratios = [a[name] / b[name] for a, b in zip(ours, others, strict=True)]
            line += f"{statistics.median(figures[name] for figures in others):12.1f}"
            line += f"   {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(line, flush=True)


def measure(path: Path, compiled: Path, arguments: argparse.Namespace) -> None:
    """Let all sides take turns on one file, and print what came of it."""
    threads, is_deep = arguments.threads, arguments.deep_batches
    ours: dict[str, list[Figures]] = {kv_type: [] for kv_type in arguments.kv_types}
    theirs: list[Figures] = []
    with ExitStack() as stack:
        sides = {}
        for kv_type in ours:
            plan = plan_of(path.resolve(), compiled, threads, is_deep, kv_type)
            model = stack.enter_context(closing(open_backend("tvm").load(plan, lambda ratio: None)))
            sides[kv_type] = Ours(model, is_deep)
            sides[kv_type].figures()  # the first turn touches the memory that the others find
        for _ in range(arguments.rounds):
            for kv_type, side in sides.items():
                ours[kv_type].append(side.figures())
            if arguments.llama:
                theirs.append(llama_figures(arguments.llama, path, threads, is_deep))
    print(f"{path.name}: {threads} threads, medians of {arguments.rounds} rounds, tokens per second")
    first, *rest = ours
    print_table(first, ours[first], theirs, "llama.cpp")
    for kv_type in rest:
        print_table(kv_type, ours[kv_type], ours[first], first)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+")
    parser.add_argument("--llama", type=Path)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--deep-batches", action="store_true")
    parser.add_argument("--compiled", type=Path, help="where what is made of a model stays for the next run")
    parser.add_argument("--kv-types", nargs="+", default=["f16"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for path in arguments.models:
            measure(path, arguments.compiled or Path(temporary), arguments)


if __name__ == "__main__":
    main()
