"""The forward pass of a decoder in ONNX, through its adapter, beside llama.cpp's own tools on the same shape.

    python tests/bench/onnx_step.py MODEL.onnx MODEL.gguf --llama-bench PATH --llama-batched-bench PATH
        [--threads N] [--context 128] [--rounds 5]

Both sides take turns, so that a neighbour's noise meets both; each has the machine alone in its turn. Prints for each
side the median milliseconds of all rounds (prefill of 256 tokens; a step that decodes 1, 2, 4 and 8 sequences), and how
many times as fast the adapter is: the median of the rounds' ratios, with the least and the greatest.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from appliance.backends.base import Batch, LoadedModel, Run
from appliance.backends.loading import open_backend
from appliance.core.plan import Artefact, LoadPlan

PREFILL_TOKENS, PREFILLS, DECODE_STEPS = 256, 3, 32
BATCHES = (1, 2, 4, 8)
Figures = dict[str, float]


def plan_of(graph: Path, compiled: Path, threads: int, context_tokens: int) -> LoadPlan:
    return LoadPlan(
        model="bench",
        backend="onnx",
        artefact=Artefact(format="onnx", path=str(graph), digest="", compiled_path=str(compiled)),
        device="cpu",
        context_tokens=context_tokens,
        kv_capacity_tokens=context_tokens * (max(BATCHES) + 1),
        max_sequences=max(BATCHES) + 1,
        max_step_sequences=max(BATCHES),
        max_step_tokens=PREFILL_TOKENS,
        threads_decode=threads,
        threads_prefill=threads,
        kv_type="f32",
        gpu_layers=0,
        step_time_target_s=0.1,
        estimated_bytes=0,
        reasons=(),
    )


def timed_ms(model: LoadedModel, runs: tuple[Run, ...]) -> float:
    started_s = time.perf_counter()
    model.step(Batch(runs))
    return (time.perf_counter() - started_s) * 1e3


def onnx_figures(model: LoadedModel, context: int) -> Figures:
    """Measure one turn through the adapter; `context` tokens lie before the first that is decoded."""
    random = np.random.default_rng(0)

    def tokens(count: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        return random.integers(0, model.traits.vocab_size, count).astype(np.int32)

    last, prefills = model.traits.max_sequences - 1, []
    for _ in range(PREFILLS):
        prefills.append(timed_ms(model, (Run(last, 0, tokens(PREFILL_TOKENS), 1),)))
        model.truncate(last, 0)
    figures = {f"prefill {PREFILL_TOKENS}": statistics.mean(prefills)}
    for num_sequences in BATCHES:
        for sequence in range(num_sequences):
            model.step(Batch((Run(sequence, 0, tokens(context), 0),)))
        steps = [
            timed_ms(model, tuple(Run(s, position, tokens(1), 1) for s in range(num_sequences)))
            for position in range(context, context + DECODE_STEPS)
        ]
        figures[f"decode {num_sequences}"] = statistics.mean(steps)  # the batched tool tells its steps' mean, too
        for sequence in range(num_sequences):
            model.truncate(sequence, 0)
    return figures


def llama_figures(arguments: argparse.Namespace) -> Figures:
    """Measure one turn of the tools."""
    common = ["-m", str(arguments.gguf), "-t", str(arguments.threads)]
    prefill = ["-p", str(PREFILL_TOKENS), "-n", "0", "-r", str(PREFILLS), "-o", "jsonl"]
    alone = _lines([str(arguments.llama_bench), *common, *prefill])
    figures = {f"prefill {PREFILL_TOKENS}": statistics.mean(ns / 1e6 for line in alone for ns in line["samples_ns"])}
    sizes = ["-npp", str(arguments.context), "-ntg", str(DECODE_STEPS), "-npl", ",".join(map(str, BATCHES))]
    cells = max(BATCHES) * (arguments.context + DECODE_STEPS)
    batched = [str(arguments.llama_batched_bench), *common, *sizes, "-c", str(cells), "--output-format", "jsonl"]
    for line in _lines(batched):
        figures[f"decode {line['pl']}"] = line["t_tg"] / line["tg"] * 1e3
    return figures


def _lines(command: list[str]) -> list[dict[str, Any]]:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{command[0]} ended with {done.returncode}; run it alone to see why: {' '.join(command)}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("onnx", type=Path)
    parser.add_argument("gguf", type=Path)
    parser.add_argument("--llama-bench", type=Path, required=True)
    parser.add_argument("--llama-batched-bench", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--context", type=int, default=128, help="tokens before the first that is decoded")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    context_tokens = max(PREFILL_TOKENS, arguments.context + DECODE_STEPS)
    ours: list[Figures] = []
    theirs: list[Figures] = []
    with tempfile.TemporaryDirectory() as compiled:
        plan = plan_of(arguments.onnx.resolve(), Path(compiled), arguments.threads, context_tokens)
        with closing(open_backend("onnx").load(plan, lambda ratio: None)) as model:
            onnx_figures(model, arguments.context)  # the first turn touches the memory that the others find
            for _ in range(arguments.rounds):
                ours.append(onnx_figures(model, arguments.context))
                theirs.append(llama_figures(arguments))
    print(f"{arguments.threads} threads, {arguments.context} tokens before, medians of {arguments.rounds} rounds")
    print(f"{'':16}{'onnx ms':>10}{'llama.cpp ms':>14}{'times as fast':>16}")
    for name in ours[0]:
        pairs = [(a[name], b[name]) for a, b in zip(ours, theirs, strict=True)]
        ratios = [b / a for a, b in pairs]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        medians = [statistics.median(side) for side in zip(*pairs, strict=True)]
        print(f"{name:16}{medians[0]:10.1f}{medians[1]:14.1f}   {spread}")


if __name__ == "__main__":
    main()
