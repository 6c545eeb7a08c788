"""Each of our kernels alone, in the sizes of Qwen2.5-0.5B, against what this machine's memory allows.

    python tests/bench/operators.py [--threads N] [--rounds 9] [--tokens 1 8 64 256] [--context 1024]

Weights take turns in so many copies that no cache holds them, as in a step; activations lie where the kernel before
would have left them. All kernels take turns in each round. Prints the median of the rounds, the bytes that must be
moved and the operations (two for each product) in a second, and the bytes as a part of what the memory gives to a
plain sum: past 100 % they came from a cache.
"""

import argparse
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import tvm
from tvm.tirx import PrimFunc

from appliance.backends.tvm import runtime
from appliance.backends.tvm.limits import instruction_set_for
from appliance.hardware.bandwidth import measure_bandwidth
from appliance.hardware.probe import probe
from kernels.build import compile_operators
from kernels.instruction_sets import INSTRUCTION_SETS, InstructionSet
from kernels.operators.attention import paged_attention
from kernels.operators.embedding import embedding
from kernels.operators.linear import default_tile, fitting, linear
from kernels.operators.norm import rms_norm
from kernels.operators.quantize import quantize
from kernels.operators.rope import rope_append
from kernels.operators.swiglu import swiglu
from kernels.packing import BLOCK, STEP_BYTES, num_steps
from kernels.paging import KV_TYPES, PAGE, key_shape, token_bytes, value_shape
from kernels.quantization import GROUP, Bits
from kernels.shape import Heads
from kernels.tiling import tiling_of

WIDTH, FEED_FORWARD, VOCABULARY, HEADS = 896, 4864, 151_936, Heads(14, 2, 64, has_bias=True)
MATRICES = {
    "qkv": (HEADS.width, WIDTH),
    "output": (WIDTH, HEADS.attended),
    "gate and up": (2 * FEED_FORWARD, WIDTH),
    "down": (WIDTH, FEED_FORWARD),
    "head": (VOCABULARY, WIDTH),
}
BITS: tuple[Bits, ...] = (4, 8)
UNCACHED_BYTES = 128 * 2**20
LEAST_CALLS = 16
Array = np.ndarray[Any, Any]
Tensors = tuple[Any, ...]


@dataclass
class Case:
    """One kernel on arrays of one size, with what it must move and compute. `copies` are of its first arguments."""

    name: str
    num_tokens: int
    operator: PrimFunc
    copies: list[Tensors]
    arguments: Tensors
    moved_bytes: int
    num_operations: int = 0
    seconds: list[float] = field(default_factory=list)

    def measure(self, kernel: Any) -> None:
        """Add the mean of some calls: one for each copy, if there are many."""
        num_calls = max(LEAST_CALLS // self.num_tokens, len(self.copies))
        started_s = time.perf_counter()
        for call in range(num_calls):
            kernel(*self.copies[call % len(self.copies)], *self.arguments)
        self.seconds.append((time.perf_counter() - started_s) / num_calls)


def linear_cases(instruction_set: InstructionSet, tokens: Sequence[int]) -> Iterator[Case]:
    for name, (num_outputs, num_inputs) in MATRICES.items():
        for bits in BITS:
            operator = linear(
                instruction_set, num_outputs, num_inputs, bits, fitting(default_tile(instruction_set), num_outputs)
            )
            weights = _weights(num_outputs, num_inputs, bits)
            copies = [_tensors(weights) for _ in range(-(-UNCACHED_BYTES // _size(weights)))]
            for n in tokens:
                arrays = (*_quantized(n, num_inputs), np.zeros((n, num_outputs), np.float32))
                moved, operations = _size(weights) + _size(arrays), 2 * n * num_outputs * num_inputs
                yield Case(f"{name}, {bits} bits", n, operator, copies, _tensors(arrays), moved, operations)


def row_cases(instruction_set: InstructionSet, tokens: Sequence[int]) -> Iterator[Case]:
    rows = _tensors(_weights(VOCABULARY, WIDTH, 8))
    for n in tokens:
        x, gate_up = np.ones((n, WIDTH), np.float32), np.ones((n, 2 * FEED_FORWARD), np.float32)
        for name, operator, arrays in (
            ("norm", rms_norm(WIDTH, 1e-6), (x, np.ones(WIDTH, np.float32), *_quantized(n, WIDTH))),
            ("quantize", quantize(WIDTH), (x, *_quantized(n, WIDTH))),
            ("SwiGLU", swiglu(FEED_FORWARD), (gate_up, *_quantized(n, FEED_FORWARD))),
        ):
            yield Case(name, n, operator, [()], _tensors(arrays), _size(arrays))
        lookup = embedding(instruction_set, VOCABULARY, WIDTH, 8)
        ids, y = _tensors((np.arange(n, dtype=np.int32), x))
        yield Case("embedding", n, lookup, [()], (ids, *rows, y), n * WIDTH * 5)


def attention_cases(instruction_set: InstructionSet, tokens: Sequence[int], context: int) -> Iterator[Case]:
    """Yield what happens to new tokens of one sequence behind `context` others."""
    size, num_threads = HEADS.size, len(os.sched_getaffinity(0))
    constants = (np.ones(HEADS.width, np.float32), np.ones((2, size), np.float32))
    for n, kv_type in product(tokens, KV_TYPES):
        length = context + n
        num_pages = -(-length // PAGE)
        keys, values = (
            np.ones((num_pages, HEADS.num_kv, shape.rows, shape.columns), shape.dtype)
            for shape in (key_shape(HEADS, kv_type), value_shape(HEADS, kv_type))
        )
        positions = np.arange(context, length, dtype=np.int32)
        qkv, queries = np.ones((n, HEADS.width), np.float32), np.ones((n, HEADS.attended), np.float32)
        turns = np.ones((length, 2, size // 2), np.float32)
        arguments = _tensors((qkv, *constants, turns, positions, positions, keys, values, queries))
        moved = qkv.nbytes + queries.nbytes + n * token_bytes(HEADS, kv_type)
        yield Case(f"append, {kv_type}", n, rope_append(HEADS, kv_type), [()], arguments, moved)
        table, sequences = np.arange(num_pages, dtype=np.int32)[None], np.zeros(n, np.int32)
        tiling = tiling_of(np.array([n], np.int32), np.array([context], np.int32), HEADS, num_threads)
        arguments = _tensors((queries, keys, values, table, sequences, positions, *tiling, queries))
        num_seen, moved = sum(range(context + 1, length + 1)), _size((keys, values, queries, queries))
        operator = paged_attention(HEADS, instruction_set, kv_type)
        name = f"attention, {kv_type}"
        yield Case(name, n, operator, [()], arguments, moved, 4 * num_seen * HEADS.attended)


def _weights(num_outputs: int, num_inputs: int, bits: Bits) -> tuple[Array, Array]:
    blocks, groups = num_outputs // BLOCK, num_inputs // GROUP
    codes = np.full((blocks, groups, num_steps(bits), STEP_BYTES), 0x5A, np.uint8)
    return codes, np.full((blocks, groups, BLOCK), 0.01, np.float16)


def _quantized(num_tokens: int, width: int) -> tuple[Array, Array, Array]:
    groups = (num_tokens, width // GROUP)
    return np.ones((num_tokens, width), np.int8), np.ones(groups, np.float32), np.full(groups, GROUP, np.int32)


def _tensors(arrays: Sequence[Array]) -> Tensors:
    return tuple(tvm.runtime.tensor(array) for array in arrays)


def _size(arrays: Sequence[Array]) -> int:
    return sum(array.nbytes for array in arrays)


def measure(cases: list[Case], instruction_set: InstructionSet, num_threads: int, num_rounds: int) -> None:
    """Fill in the seconds of all cases; a round before the first warms up."""
    names = {operator: f"kernel_{place}" for place, operator in enumerate({case.operator: None for case in cases})}
    module = compile_operators({name: each for each, name in names.items()}, instruction_set, num_threads)
    for _ in range(num_rounds + 1):
        for case in cases:
            case.measure(module[names[case.operator]])
    for case in cases:
        del case.seconds[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--tokens", type=int, nargs="+", default=[1, 8, 64, 256])
    parser.add_argument("--context", type=int, default=1024)
    arguments = parser.parse_args()
    name = instruction_set_for(probe().processor.instructions)
    if name is None:
        parser.error("our kernels are not written for this processor")
    runtime.set_up(arguments.threads, with_compiler=True)
    instruction_set, memory = INSTRUCTION_SETS[name], measure_bandwidth(arguments.threads).read_bytes_per_s
    cases = [
        *linear_cases(instruction_set, arguments.tokens),
        *row_cases(instruction_set, arguments.tokens),
        *attention_cases(instruction_set, arguments.tokens, arguments.context),
    ]
    measure(cases, instruction_set, arguments.threads, arguments.rounds)
    print(f"{name}, {arguments.threads} threads, memory {memory / 1e9:.1f} GB/s, medians of {arguments.rounds} rounds")
    print(f"{'':22}{'tokens':>8}{'µs':>12}{'GB/s':>9}{'of memory':>11}{'GOPS':>9}")
    for case in cases:
        median_s = statistics.median(case.seconds)
        rate, operations = case.moved_bytes / median_s, case.num_operations / median_s / 1e9
        line = f"{case.name:22}{case.num_tokens:8}{median_s * 1e6:12.1f}{rate / 1e9:9.1f}{rate / memory:11.0%}"
        print(line + (f"{operations:9.0f}" if case.num_operations else ""))


if __name__ == "__main__":
    main()
