"""How fast a loaded model is, in tokens a second, and whether that says anything.

Another program on the same cores slows a step by far more than its share, since the threads of a step wait for each
other: what was measured beside one says nothing of the model.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import psutil

from appliance.backends.base import Batch, EncoderInput, LoadedEncoder, LoadedModel, Run, TokenArray
from appliance.core.calibration import GENERATED_TOKENS

_ROUND_S = 1.0
_LEAST_ROUNDS = 3
_LEAST_TIME_S = 0.7
_MOST_TIME_S = 8.0  # a model that takes so long for a round says enough with it
_MOST_TRIES = 3
_NOTICEABLE_CORES = 0.25
_IDLE = ("idle", "iowait", "guest", "guest_nice", "steal")

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Rate:
    """Tokens a second of one kind of work. `is_disturbed`: other programs were at work."""

    tokens_per_s: float
    is_disturbed: bool = False


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens a second; `decode` None: the model does not generate. `is_disturbed`: other programs were at work."""

    prefill: float
    decode: float | None
    is_disturbed: bool = False


@dataclass
class Others:
    """How many cores other programs used, on average."""

    num_cores: float = field(default=0.0)

    @property
    def are_busy(self) -> bool:
        """Return whether it was enough to notice."""
        return self.num_cores > _NOTICEABLE_CORES


@contextmanager
def watching_others() -> Iterator[Others]:
    """Yield what others did in the meantime; it is known at the end."""
    others = Others()
    began_s, own_s, all_s = time.monotonic(), time.process_time(), _busy_s()
    yield others
    passed_s = max(time.monotonic() - began_s, 1e-3)
    others.num_cores = max(_busy_s() - all_s - (time.process_time() - own_s), 0.0) / passed_s


def measure_speed(model: LoadedModel, prompt: TokenArray, now: Clock = time.perf_counter) -> Speed:
    """Return how fast one caller is served. The model has room for the prompt and `GENERATED_TOKENS` tokens more."""
    prompt = prompt[: model.traits.max_step_tokens]
    prefill, decode = measure_prefill(model, prompt, now), measure_decode(model, prompt, 1, now)
    return Speed(prefill.tokens_per_s, decode.tokens_per_s, prefill.is_disturbed or decode.is_disturbed)


def measure_prefill(model: LoadedModel, prompt: TokenArray, now: Clock = time.perf_counter) -> Rate:
    """Return how fast a prompt is read, in steps as large as they can be.

    As all here do, this needs a model without sequences and leaves it so. The best of several rounds counts, since
    what else the machine does can only slow them; what was disturbed is measured again, a few times.
    """

    def read() -> float:
        began_s = now()
        _read(model, prompt)
        passed_s = now() - began_s
        model.truncate(0, 0)
        return len(prompt) / passed_s

    return _best(read, now)


def measure_decode(model: LoadedModel, context: TokenArray, num_sequences: int, now: Clock = time.perf_counter) -> Rate:
    """Return how fast so many sequences generate together, each behind a context that it shares with none."""
    sequences = range(num_sequences)
    _read(model, context)
    kept = model.snapshot(0, 0, len(context))
    model.truncate(0, 0)

    def generate() -> float:
        for sequence in sequences:
            model.restore(sequence, kept)
        num_steps, began_s, passed_s = 0, now(), 0.0
        while num_steps < GENERATED_TOKENS and passed_s < _ROUND_S:
            token = any_tokens(num_steps, 1, model.traits.vocab_size)
            model.step(Batch(tuple(Run(each, len(context) + num_steps, token, 1) for each in sequences)))
            num_steps, passed_s = num_steps + 1, now() - began_s
        for sequence in sequences:
            model.truncate(sequence, 0)
        return num_steps * num_sequences / passed_s

    return _best(generate, now)


def measure_input(model: LoadedEncoder, tokens: TokenArray, now: Clock = time.perf_counter) -> Rate:
    """Return how fast a text is read by a model that embeds or scores."""

    def read() -> float:
        began_s = now()
        model.embed([EncoderInput(tokens)])
        return len(tokens) / (now() - began_s)

    return _best(read, now)


def any_tokens(start: int, num_tokens: int, vocab_size: int) -> TokenArray:
    """Return tokens from all over the vocabulary, as a text has them."""
    return (np.arange(start, start + num_tokens) * 7919 % vocab_size).astype(np.int32)


def _best(measure: Callable[[], float], now: Clock) -> Rate:
    began_s, best, is_disturbed = now(), 0.0, True
    for _ in range(_MOST_TRIES):
        with watching_others() as others:
            best = max(best, _best_round(measure, now))
        is_disturbed = others.are_busy
        if not is_disturbed or now() - began_s > _MOST_TIME_S:
            break
    return Rate(best, is_disturbed)


def _best_round(measure: Callable[[], float], now: Clock) -> float:
    began_s = now()
    rates = [measure()]
    while (passed_s := now() - began_s) < _MOST_TIME_S and (len(rates) < _LEAST_ROUNDS or passed_s < _LEAST_TIME_S):
        rates.append(measure())
    return max(rates)


def _read(model: LoadedModel, prompt: TokenArray) -> None:
    most_tokens = model.traits.max_step_tokens
    for start in range(0, len(prompt), most_tokens):
        model.step(Batch((Run(0, start, prompt[start : start + most_tokens], 1),)))


def _busy_s() -> float:
    """Return the time that all processors together have worked."""
    times = psutil.cpu_times()._asdict()
    return float(sum(seconds for name, seconds in times.items() if name not in _IDLE))
