"""An embedding model through its adapter beside sentence-transformers in 32-bit floats, on the same sentences.

    python tests/bench/embeddings.py HF_FOLDER MODEL.onnx [MODEL.onnx ...] --torch-python PATH
        [--threads N] [--sentences 256] [--rounds 5]

HF_FOLDER is the original with its weights; `--torch-python` names an interpreter that has sentence-transformers. All
sides take turns and each reads the sentences as text, in one batch. Prints the median sentences a second, how many
times as fast as sentence-transformers (median of the rounds' ratios, least, greatest), and the least cosine to its
vectors.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt

from appliance.backends.base import LoadedEncoder
from appliance.backends.loading import open_backend
from appliance.core.plan import Artefact
from tests.bench.onnx_step import plan_of

MAX_TOKENS = 256
NUM_WORDS = (4, 60)
WORDS = (
    *("the", "model", "reads", "text", "and", "writes", "what", "follows", "because", "every", "word", "has", "weight"),
    *("servers", "answer", "questions", "about", "rain", "rivers", "music", "bread", "engines", "winter", "gardens"),
    *("letters", "streets", "islands", "numbers", "old", "machines", "slowly", "between", "mountains", "tomorrow"),
)
Rows = npt.NDArray[np.float32]
Turn = Callable[[], tuple[float, Rows]]

BASELINE = """
import sys, time
import numpy, torch
from sentence_transformers import SentenceTransformer
folder, threads, sentences, result = sys.argv[1:]
torch.set_num_threads(int(threads))
model = SentenceTransformer(folder, device="cpu")
texts = open(sentences).read().splitlines()
model.encode(texts, batch_size=32, show_progress_bar=False)
for _ in sys.stdin:
    started = time.perf_counter()
    rows = model.encode(texts, batch_size=32, show_progress_bar=False)
    seconds = time.perf_counter() - started
    numpy.save(result, rows)
    print(seconds, flush=True)
"""


def sentences_of(count: int) -> list[str]:
    random = Random(0)
    return [" ".join(random.choices(WORDS, k=random.randint(*NUM_WORDS))) for _ in range(count)]


def adapter_turn(graph: Path, threads: int, texts: list[str], stack: ExitStack) -> Turn:
    compiled = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    backend = open_backend("onnx")
    model = backend.load(plan_of(graph, compiled, threads, MAX_TOKENS), lambda ratio: None)
    assert isinstance(model, LoadedEncoder)
    stack.callback(model.close)
    reader = backend.open_inputs(Artefact(format="onnx", path=str(graph), digest=""))

    def turn() -> tuple[float, Rows]:
        started_s = time.perf_counter()
        rows = model.embed(reader.read(texts, None))
        return time.perf_counter() - started_s, rows

    return turn


def baseline_turn(arguments: argparse.Namespace, texts: list[str], stack: ExitStack) -> Turn:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    (folder / "sentences").write_text("\n".join(texts))
    order = (arguments.folder, arguments.threads, folder / "sentences", folder / "rows.npy")
    child = subprocess.Popen(
        [str(arguments.torch_python), "-c", BASELINE, *map(str, order)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    stack.callback(child.wait)
    assert child.stdin and child.stdout
    stack.callback(child.stdin.close)
    asks, answers = child.stdin, child.stdout

    def turn() -> tuple[float, Rows]:
        asks.write("\n")
        asks.flush()
        seconds = float(answers.readline())
        return seconds, np.load(folder / "rows.npy")

    return turn


def least_cosine(rows: Rows, others: Rows) -> float:
    """Both are normalized."""
    return float(np.min(np.sum(rows * others, axis=1)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("graphs", type=Path, nargs="+")
    parser.add_argument("--torch-python", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--sentences", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    texts = sentences_of(arguments.sentences)
    with ExitStack() as stack:
        turns = {"sentence-transformers": baseline_turn(arguments, texts, stack)}
        for graph in arguments.graphs:
            turns[str(graph)] = adapter_turn(graph.resolve(), arguments.threads, texts, stack)
        seconds: dict[str, list[float]] = {name: [] for name in turns}
        for number in range(arguments.rounds + 1):
            rows: dict[str, Rows] = {}
            for name, turn in turns.items():
                time_s, rows[name] = turn()
                if number:  # the first turn touches the memory that the others find
                    seconds[name].append(time_s)
    reference = "sentence-transformers"
    print(f"{len(texts)} sentences, {arguments.threads} threads, {arguments.rounds} rounds")
    for name, times in seconds.items():
        ratios = [b / a for a, b in zip(times, seconds[reference], strict=True)]
        speed, cosine = len(texts) / statistics.median(times), least_cosine(rows[name], rows[reference])
        spread = f"{statistics.median(ratios):5.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"{speed:8.0f} sentences/s   {spread}   cosine {cosine:.6f}   {name}")


if __name__ == "__main__":
    main()
