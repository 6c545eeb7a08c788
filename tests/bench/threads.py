"""What a neighbour costs: tokens per second on a quiet machine and beside a process that keeps a core busy.

    python tests/bench/threads.py MODEL.gguf|MODEL.onnx [--threads 1 2 keep] [--spins 2000] [--bind false]
        [--busy 1.0] [--cpu N] [--rounds 3]

Each setting has a process of its own, since libraries read their environment once: the number of threads, or `keep` for
all cores with the correction of `ThreadKeeper`; how long threads of GNU OpenMP spin for each other, and whether they
are bound to cores. All settings take turns, and within a turn the machine is quiet, then busy. Prints the medians of
all rounds, and what is left beside the neighbour of what the best setting does on a quiet machine.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import numpy as np

from appliance.backends.base import Batch, LoadedModel, Run
from appliance.backends.loading import open_backend
from appliance.core.plan import Artefact, LoadPlan
from appliance.engine.contention import ThreadKeeper, process_probe

CONTEXT_TOKENS, PREFILL_TOKENS, MEASURE_S = 64, 256, 1.5
WORKLOADS = ("decode 1", "decode 8", f"prefill {PREFILL_TOKENS}")
Figures = dict[str, dict[str, float]]
Setting = tuple[str, str, str]

# Works for a part of each 20 ms, on any processor or on one.
NEIGHBOUR = """
import os, sys, time
busy_ratio, cpus = float(sys.argv[1]), [int(cpu) for cpu in sys.argv[2:]]
os.sched_setaffinity(0, cpus or range(os.cpu_count()))
while True:
    end_s = time.perf_counter() + 0.02 * busy_ratio
    while time.perf_counter() < end_s:
        pass
    if busy_ratio < 1:
        time.sleep(0.02 * (1 - busy_ratio))
"""


def plan_of(path: Path, compiled: Path, threads: int) -> LoadPlan:
    is_onnx = path.suffix == ".onnx"
    return LoadPlan(
        model="bench",
        backend="onnx" if is_onnx else "llama_cpp",
        artefact=Artefact(format="onnx" if is_onnx else "gguf", path=str(path), digest="", compiled_path=str(compiled)),
        device="cpu",
        context_tokens=2048,
        kv_capacity_tokens=9 * 2048,
        max_sequences=9,
        max_step_sequences=8,
        max_step_tokens=PREFILL_TOKENS,
        threads_decode=threads,
        threads_prefill=threads,
        kv_type="f32" if is_onnx else "f16",
        gpu_layers=0,
        step_time_target_s=0.1,
        estimated_bytes=0,
        reasons=(),
    )


@contextmanager
def neighbour(busy_ratio: float, cpu: int | None) -> Iterator[None]:
    """Keep a core busy beside what runs inside. Linux shares processors between sessions first, so it has its own."""
    pinned = [] if cpu is None else [str(cpu)]
    process = subprocess.Popen([sys.executable, "-c", NEIGHBOUR, str(busy_ratio), *pinned], start_new_session=True)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def tokens_per_s(model: LoadedModel, workload: str, keeper: ThreadKeeper | None) -> float:
    """Repeat one kind of step for `MEASURE_S`, after as long for the neighbour and the keeper to settle."""
    random = np.random.default_rng(0)
    kind, size = workload.split()
    num_sequences, num_tokens = (int(size), 1) if kind == "decode" else (1, int(size))

    def step(count: int) -> None:
        runs = [
            Run(s, model.length_tokens(s), random.integers(0, model.traits.vocab_size, count).astype(np.int32), 1)
            for s in range(num_sequences)
        ]
        model.step(Batch(tuple(runs)))
        if keeper is not None:
            keeper.on_step(time.monotonic())

    def clear() -> None:
        for sequence in range(num_sequences):
            model.truncate(sequence, 0)

    num_done, started_s, measured_s = 0, time.perf_counter(), 0.0
    while measured_s < MEASURE_S:
        if model.length_tokens(0) + num_tokens > 512:
            clear()
        if kind == "decode" and model.length_tokens(0) == 0:
            for _ in range(CONTEXT_TOKENS // 16):
                step(16)
        step_s = time.perf_counter()
        step(num_tokens)
        if step_s - started_s > MEASURE_S:
            measured_s += time.perf_counter() - step_s
            num_done += num_sequences * num_tokens
    clear()
    return num_done / measured_s


def measure_here(arguments: argparse.Namespace, threads: str, compiled: Path) -> Figures:
    """Measure one setting in this process, on the quiet machine and beside the neighbour."""
    num_cores = len(os.sched_getaffinity(0))
    num_threads = num_cores if threads == "keep" else int(threads)
    plan = plan_of(arguments.model.resolve(), compiled, num_threads)
    figures: Figures = {}
    with closing(open_backend(plan.backend).load(plan, lambda ratio: None)) as model:
        keeper = None
        if threads == "keep":
            keeper = ThreadKeeper(model.set_threads, num_threads, num_threads, num_cores, process_probe())
        for name in ("quiet", "busy"):
            with ExitStack() as stack:
                if name == "busy":
                    stack.enter_context(neighbour(arguments.busy, arguments.cpu))
                figures[name] = {workload: tokens_per_s(model, workload, keeper) for workload in WORKLOADS}
    return figures


def measure_in_child(setting: Setting, compiled: str) -> Figures:
    threads, spins, bind = setting
    command = [sys.executable, *sys.argv, "--child", threads, compiled]
    environ = {**os.environ, "GOMP_SPINCOUNT": spins, "OMP_PROC_BIND": bind, "PYTHONPATH": "."}
    figures: Figures = json.loads(subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=True).stdout)
    return figures


def print_table(rounds: dict[Setting, list[Figures]]) -> None:
    medians = {
        (setting, name, workload): statistics.median(figures[name][workload] for figures in all_figures)
        for setting, all_figures in rounds.items()
        for name in ("quiet", "busy")
        for workload in WORKLOADS
    }
    print(f"{'threads':>8}{'spins':>10}{'bind':>7}" + "".join(f"{workload:>30}" for workload in WORKLOADS))
    for setting in rounds:
        cells = []
        for workload in WORKLOADS:
            best = max(medians[other, "quiet", workload] for other in rounds)
            quiet, busy = (medians[setting, name, workload] for name in ("quiet", "busy"))
            cells.append(f"{quiet:10.1f}{busy:10.1f} = {busy / best:5.0%} ")
        print(f"{setting[0]:>8}{setting[1]:>10}{setting[2]:>7}" + "".join(f"{cell:>30}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--threads", nargs="+", default=["1", "2", "keep"])
    parser.add_argument("--spins", nargs="+", default=["2000"], help="300000 is the library's own, infinity never ends")
    parser.add_argument("--bind", nargs="+", default=["false"], choices=["false", "true"])
    parser.add_argument("--busy", type=float, default=1.0, help="the part of the time that the neighbour works")
    parser.add_argument("--cpu", type=int, help="the processor that the neighbour keeps to")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure_here(arguments, arguments.child[0], Path(arguments.child[1]))))
        return
    settings = list(itertools.product(arguments.threads, arguments.spins, arguments.bind))
    rounds: dict[Setting, list[Figures]] = {setting: [] for setting in settings}
    with tempfile.TemporaryDirectory() as compiled:
        for _ in range(arguments.rounds):
            for setting in settings:
                rounds[setting].append(measure_in_child(setting, compiled))
    print_table(rounds)


if __name__ == "__main__":
    main()
