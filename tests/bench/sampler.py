"""Times the sampler over rows of a real vocabulary's size: `python tests/bench/sampler.py [--vocab 151936]`."""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from appliance.backends.base import LogitsArray
from appliance.core.sampling import SamplingParams
from appliance.engine.logprobs import probability, token_logprobs
from appliance.engine.sampler import Sampler, Scratch

NUM_ROWS = 8
SETTINGS = {
    "greedy": SamplingParams(temperature=0),
    "0.8, top-k 40, top-p 0.95": SamplingParams(temperature=0.8, top_k=40, top_p=0.95),
    "OpenAI's defaults": SamplingParams(),
    "top-p 0.9": SamplingParams(top_p=0.9),
    "min-p 0.05": SamplingParams(min_p=0.05),
    "typical-p 0.9": SamplingParams(typical_p=0.9),
    "penalties, top-k 40": SamplingParams(
        top_k=40, repeat_penalty=1.1, presence_penalty=0.5, frequency_penalty=0.5, logit_bias={7: 1.0}
    ),
}


class NumberTokenizer:
    """As much of a tokenizer as log-probabilities ask for."""

    def special_text(self, token: int) -> str:
        return f"<{token}>"

    def token_bytes(self, token: int) -> bytes:
        return b" %d" % token


def random_rows(vocab_size: int) -> LogitsArray:
    """Normal logits, as a model with random weights gives: the probability is spread over thousands of tokens."""
    return np.random.default_rng(0).normal(0, 2, (NUM_ROWS, vocab_size)).astype(np.float32)


def peaked_rows(vocab_size: int) -> LogitsArray:
    """Logits like a trained model's: a few tokens far above a long tail, as a power law of the rank."""
    rng = np.random.default_rng(0)
    by_rank = 18 - 2.2 * np.log(np.arange(1, vocab_size + 1))
    rows = [rng.permutation(by_rank + rng.normal(0, 0.5, vocab_size)) for _ in range(NUM_ROWS)]
    return np.array(rows, np.float32)


def measure_us(work: Callable[[LogitsArray], object], rows: LogitsArray, repeats: int) -> float:
    """Return the median time that `work` takes over fresh copies of the rows, in microseconds."""
    times_s = []
    for _ in range(repeats):
        fresh = rows.copy()
        start_s = time.perf_counter()
        work(fresh)
        times_s.append(time.perf_counter() - start_s)
    return statistics.median(times_s) * 1e6


def sampling(params: SamplingParams, vocab_size: int) -> Callable[[LogitsArray], object]:
    """Return what a step does with its rows; the sequences have 200 tokens of output behind them."""
    scratch, tail = Scratch(vocab_size), np.arange(64, dtype=np.int32)
    samplers = [Sampler(params, vocab_size, choice, scratch, tail) for choice in range(NUM_ROWS)]
    for sampler in samplers:
        for token in range(200):
            sampler.accept(token)

    def step(rows: LogitsArray) -> None:
        for sampler, row in zip(samplers, rows, strict=True):
            sampler.accept(sampler.sample(row))

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vocab", type=int, default=151_936, help="entries in a row of logits")
    parser.add_argument("--repeats", type=int, default=100)
    arguments = parser.parse_args()
    tokenizer = NumberTokenizer()
    work = {name: sampling(params, arguments.vocab) for name, params in SETTINGS.items()}
    work["logprobs 5"] = lambda rows: [token_logprobs(row, 7, 5, tokenizer) for row in rows]
    work["probability"] = lambda rows: [probability(row, 7) for row in rows]
    print(f"median of {arguments.repeats}, vocabulary {arguments.vocab}, in µs")
    print(f"{'':28}{'random: row':>13}{f'{NUM_ROWS} rows':>10}{'peaked: row':>13}{f'{NUM_ROWS} rows':>10}")
    random, peaked = random_rows(arguments.vocab), peaked_rows(arguments.vocab)
    for name, step in work.items():
        random_us = measure_us(step, random, arguments.repeats)
        peaked_us = measure_us(step, peaked, arguments.repeats)
        print(f"{name:28}{random_us / NUM_ROWS:13.1f}{random_us:10.0f}{peaked_us / NUM_ROWS:13.1f}{peaked_us:10.0f}")


if __name__ == "__main__":
    main()
