"""What a step costs besides the forward pass: sampling, detokenizing, events, and the link to the daemon.

    python tests/bench/step.py [--sequences 8] [--vocab 151936] [--steps 200]

A stand-in model answers every step at once with prepared rows of logits, so all that is timed is ours. The rows are
rewritten between steps, outside the timed part, as a library's forward pass would. Prints milliseconds per step.
"""

import argparse
import socket
import statistics
import time

import numpy as np

from appliance.backends.base import Batch, StepOutput
from appliance.backends.echo_tokenizer import EchoTokenizer
from appliance.core.request import GenerateRequest, RequestId, TokenPrompt
from appliance.core.sampling import SamplingParams, StopConditions
from appliance.core.traits import ModelTraits
from appliance.engine.engine import Engine
from appliance.engine.prompt import Arrival, PreparedRequest
from appliance.link.frames import decoder_for_daemon, send_frame

SAMPLINGS = {
    "greedy": SamplingParams(temperature=0.0),
    "temperature 0.8, top-k 40, top-p 0.95": SamplingParams(temperature=0.8, top_k=40, top_p=0.95),
    "OpenAI's defaults": SamplingParams(),
}


class InstantModel:
    """Answers with rows of random logits, at no cost. Of the seam it has what these sequences use."""

    def __init__(self, num_sequences: int, vocab_size: int) -> None:
        random = np.random.default_rng(0)
        self._source = random.standard_normal((num_sequences, vocab_size), np.float32) * 3
        self._rows = self._source.copy()
        self._lengths = [0] * 65
        self.forward_s = 0.0
        self.traits = ModelTraits(
            task="generate",
            vocab_size=vocab_size,
            max_context_tokens=32768,
            kv_capacity_tokens=32768,
            max_sequences=64,
            max_step_sequences=32,
            max_step_tokens=512,
            max_step_outputs=64,
            chunk_multiple_tokens=1,
            copy_cost="shared",
            retain="slows_steps",
            can_truncate=True,
            is_batch_invariant=False,
            kv_bytes_per_token=1,
            max_adapters_per_step=0,
        )

    def step(self, batch: Batch) -> StepOutput:
        started_s = time.perf_counter()
        self._rows[:] = self._source
        for run in batch.runs:
            self._lengths[run.sequence] += len(run.tokens)
        logits = tuple(self._rows[i : i + run.num_outputs] for i, run in enumerate(batch.runs))
        self.forward_s = time.perf_counter() - started_s
        return StepOutput(logits)

    def copy(self, source: int, target: int, num_tokens: int) -> None:
        self._lengths[target] = num_tokens

    def truncate(self, sequence: int, num_tokens: int) -> None:
        self._lengths[sequence] = num_tokens

    def length_tokens(self, sequence: int) -> int:
        return self._lengths[sequence]

    def free_tokens(self) -> int:
        return 32768 - sum(self._lengths)

    def abort(self) -> None:
        return


def measure(sampling: SamplingParams, num_sequences: int, vocab_size: int, num_steps: int) -> tuple[float, float]:
    """Return the medians in milliseconds of the worker's part and of the daemon's decoding of the frame."""
    model = InstantModel(num_sequences, vocab_size)
    engine = Engine(model, EchoTokenizer(vocab_size), 0.1, time.monotonic, speculates=False)
    worker_side, daemon_side = socket.socketpair()
    decoder = decoder_for_daemon()
    for number in range(num_sequences):
        request = GenerateRequest(
            id=RequestId(f"chatcmpl-{number:032d}"),
            model="bench",
            prompt=TokenPrompt(tokens=()),
            sampling=sampling,
            stop=StopConditions(max_tokens=num_steps + 50, ignore_eos=True),
        )
        tokens = np.array([number, 1, 2, 3], np.int32)
        engine.start(PreparedRequest(request, tokens, Arrival(received_s=time.monotonic())))
    worker_s, daemon_s = [], []
    for _ in range(num_steps + 20):
        started_s = time.perf_counter()
        events = engine.step()
        send_frame(worker_side, events)
        worker_s.append(time.perf_counter() - started_s - model.forward_s)
        started_s = time.perf_counter()
        decoder.feed(daemon_side.recv(1 << 20))
        daemon_s.append(time.perf_counter() - started_s)
    return statistics.median(worker_s[20:]) * 1e3, statistics.median(daemon_s[20:]) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=int, default=8)
    parser.add_argument("--vocab", type=int, default=151_936)
    parser.add_argument("--steps", type=int, default=200)
    arguments = parser.parse_args()
    print(f"{arguments.sequences} sequences, vocabulary {arguments.vocab}: milliseconds per step, medians")
    for name, sampling in SAMPLINGS.items():
        worker_ms, daemon_ms = measure(sampling, arguments.sequences, arguments.vocab, arguments.steps)
        print(f"{name:40} worker {worker_ms:.3f}  daemon's decoding {daemon_ms:.3f}  sum {worker_ms + daemon_ms:.3f}")


if __name__ == "__main__":
    main()
