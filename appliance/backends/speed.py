"""How fast a loaded model is for one caller, in prompt and generated tokens a second, and whether that says anything.

Another program on the same cores slows a step by far more than its share, since the threads of a step wait for each
other: what was measured beside one says nothing of the model.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import psutil

from appliance.backends.base import Batch, LoadedModel, Run
from appliance.backends.held_out import Tokens

NUM_DECODED = 64
_ROUND_TOKENS = 16
_LEAST_ROUNDS = 3
_LEAST_TIME_S = 0.7
_MOST_TRIES = 3
_NOTICEABLE_CORES = 0.25
_IDLE = ("idle", "iowait", "guest", "guest_nice", "steal")


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


def measure_speed(model: LoadedModel, prompt: Tokens, now: Callable[[], float] = time.perf_counter) -> Speed:
    """Return the best of several rounds, since what else the machine does can only slow them.

    What was disturbed is measured again, a few times. The model holds no sequence before, and none afterwards; it has
    room for the prompt and `NUM_DECODED` tokens more.
    """
    prompt = prompt[: model.traits.max_step_tokens]
    _prefill_s(model, prompt, now)  # the first step of its kind is slower: memory is touched for the first time
    speed = _measure(model, prompt, now)
    for _ in range(1, _MOST_TRIES):
        if not speed.is_disturbed:
            break
        speed = _measure(model, prompt, now)
    return speed


def _measure(model: LoadedModel, prompt: Tokens, now: Callable[[], float]) -> Speed:
    with watching_others() as others:
        prefill_s = _best(lambda: _prefill_s(model, prompt, now), now)
        decode_s = _best(lambda: _decode_s(model, prompt, now), now)
    return Speed(len(prompt) / prefill_s, _ROUND_TOKENS / decode_s, others.are_busy)


def _best(measure: Callable[[], float], now: Callable[[], float]) -> float:
    end_s = now() + _LEAST_TIME_S
    times = [measure()]
    while len(times) < _LEAST_ROUNDS or now() < end_s:
        times.append(measure())
    return min(times)


def _prefill_s(model: LoadedModel, prompt: Tokens, now: Callable[[], float]) -> float:
    began_s = now()
    model.step(Batch((Run(0, 0, prompt, 1),)))
    passed_s = now() - began_s
    model.truncate(0, 0)
    return passed_s


def _decode_s(model: LoadedModel, prompt: Tokens, now: Callable[[], float]) -> float:
    """Return the time of the fastest round of tokens behind the prompt."""
    token = prompt[-1:]
    model.step(Batch((Run(0, 0, prompt, 1),)))
    times = []
    for begin in range(len(prompt), len(prompt) + NUM_DECODED, _ROUND_TOKENS):
        began_s = now()
        for position in range(begin, begin + _ROUND_TOKENS):
            token = np.array([model.step(Batch((Run(0, position, token, 1),))).logits[0][0].argmax()], np.int32)
        times.append(now() - began_s)
    model.truncate(0, 0)
    return min(times)


def _busy_s() -> float:
    """Return the time that all processors together have worked."""
    times = psutil.cpu_times()._asdict()
    return float(sum(seconds for name, seconds in times.items() if name not in _IDLE))
