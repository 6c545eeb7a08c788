"""Run a compiled decoder and print its logits: on a board, or on the board that QEMU plays.

    PYTHONPATH=. python tests/emulation/run_decoder.py MODEL.gguf STEP.so WEIGHTS.bin
        [--write FILE.npy] [--expected FILE.npy]

From the top of a checkout; STEP.so and WEIGHTS.bin are what the appliance makes of a model for the processor, here or
elsewhere. A prompt in two chunks, two sequences in one step, a prefix that a third shares, with each type of keys and
values: the same tokens everywhere, so what one processor writes is what another can expect. Ends with 1 where they
differ by more than 1e-5 of the greatest logit.
"""

import argparse
import platform
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from appliance.backends.base import Batch, Run
from appliance.backends.tvm import runtime
from appliance.backends.tvm.adapter import TvmModel
from appliance.backends.tvm.gguf_source import GgufSource
from appliance.backends.tvm.prepared import PreparedModel
from appliance.backends.tvm.weights_file import map_weights
from kernels.paging import KV_TYPES, KvType
from tests.unit.backends.plans import plan_of

Logits = npt.NDArray[np.float32]

TOLERANCE = 1e-5
CHUNKS = (21, 6)


def main() -> int:
    arguments = _arguments()
    runtime.set_up(1, with_compiler=False)
    files = (arguments.model, arguments.step, arguments.weights)
    rows = np.concatenate([logits(*files, kv_type) for kv_type in KV_TYPES])
    for number, row in enumerate(rows):
        print(f"{number:3}  token {row.argmax():6}  logit {row.max():.7g}  sum {row.sum(dtype=np.float64):.7g}")
    if arguments.write is not None:
        np.save(arguments.write, rows)
    if arguments.expected is None:
        return 0
    expected = np.load(arguments.expected)
    difference = float(np.abs(rows - expected).max() / np.abs(expected).max())
    print(f"{platform.machine()}: {difference:.2e} of the greatest logit away from what was expected")
    return int(not difference <= TOLERANCE)


def logits(model: Path, step: Path, weights: Path, kv_type: KvType) -> Logits:
    """Return a row of logits for each token."""
    source = GgufSource(model)
    prepared = PreparedModel(
        "board", source.shape, source.rope, map_weights(weights, source.shape), runtime.open_library(step)
    )
    decoder = TvmModel(plan_of("tvm", "gguf", str(model), kv_type=kv_type), prepared)
    tokens = np.random.default_rng(0).integers(0, source.shape.vocab_size, sum(CHUNKS)).astype(np.int32)
    first, second = np.split(tokens, [CHUNKS[0]])
    rows = [*decoder.step(Batch((_run(0, 0, first),))).logits[0].copy()]
    decoder.copy(0, 1, 18)
    together = Batch((_run(0, len(first), second), _run(1, 18, second[:1]), _run(2, 0, second)))
    rows += [row for part in decoder.step(together).logits for row in part.copy()]
    for position, token in enumerate(first[:3]):
        rows += [*decoder.step(Batch((_run(2, len(second) + position, np.array([token])),))).logits[0].copy()]
    decoder.close()
    return np.stack(rows)


def _run(sequence: int, start: int, tokens: npt.NDArray[np.int32]) -> Run:
    return Run(sequence, start, tokens, len(tokens))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "step", "weights"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--expected", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
