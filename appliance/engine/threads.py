"""Which numbers of threads are fastest here: measured on the loaded model itself, once for a machine and a model."""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from statistics import median

import numpy as np

from appliance.backends.base import Batch, LoadedModel, Run, TokenArray
from appliance.core.plan import Calibration

from .contention import CpuTimes, others_busy_cores

BUDGET_S = 2.0
"""How long a calibration takes where one turn of each candidate takes less."""
MAX_STEP_S, MAX_ROUND_S = 0.5, 6.0
"""A model whose steps or turns take longer keeps the threads that it was planned with."""
_PROMPT_TOKENS, _DECODE_STEPS = 64, 8
_TIE_RATIO = 1.03  # within so much, fewer threads are better: they leave cores to the daemon
_MAX_OTHERS_CORES = 0.25  # beside more, it is the neighbour that is measured
_SEQUENCE = 0

_log = logging.getLogger(__name__)


def calibrate(
    model: LoadedModel, candidates: Sequence[int], probe: Callable[[], CpuTimes], clock: Callable[[], float]
) -> Calibration | None:
    """Return what is fastest of `candidates` for a model without sequences, and leave it with these threads.

    None, with the threads of the first candidate, the planned one, where there is nothing to choose from, where the
    model is too slow to try, or where others used the processor meanwhile. Raises: what a step raises.
    """
    if len(candidates) < 2 or not model.traits.can_set_threads:
        return None
    started_s, before = clock(), probe()
    calibration = _measure(_Turns(model, clock), candidates, started_s + BUDGET_S, clock)
    busy_cores = others_busy_cores(before, probe(), clock() - started_s)
    if calibration is not None and busy_cores > _MAX_OTHERS_CORES:
        _log.info("the threads are measured another time: others keep %.1f cores busy", busy_cores)
        calibration = None
    if calibration is None:
        model.set_threads(candidates[0], candidates[0])
    else:
        model.set_threads(calibration.threads_decode, calibration.threads_prefill)
    return calibration


class _Turns:
    """Tries numbers of threads, and keeps what their steps took."""

    def __init__(self, model: LoadedModel, clock: Callable[[], float]) -> None:
        self.decodes_s: defaultdict[int, list[float]] = defaultdict(list)
        self.prefills_s: defaultdict[int, list[float]] = defaultdict(list)
        self._model = model
        self._clock = clock
        self._prompt_tokens = min(_PROMPT_TOKENS, model.traits.max_step_tokens, model.traits.max_context_tokens // 2)

    def first_step_s(self) -> float:
        """Return how long a token takes with the threads that the model has, behind one that touches its memory."""
        self._step_s(1)
        step_s = self._step_s(1)
        self._model.truncate(_SEQUENCE, 0)
        return step_s

    def take(self, threads: int) -> None:
        """Read a prompt and generate some tokens. The first token counts for nothing: threads begin and end with it."""
        self._model.set_threads(threads, threads)
        self.prefills_s[threads].append(self._step_s(self._prompt_tokens))
        self._step_s(1)
        self.decodes_s[threads] += [self._step_s(1) for _ in range(_DECODE_STEPS)]
        self._model.truncate(_SEQUENCE, 0)

    def _step_s(self, num_tokens: int) -> float:
        start = self._model.length_tokens(_SEQUENCE)
        tokens = _any_tokens(start, num_tokens, self._model.traits.vocab_size)
        started_s = self._clock()
        self._model.step(Batch((Run(_SEQUENCE, start, tokens, 1),)))
        return self._clock() - started_s


def _measure(turns: _Turns, candidates: Sequence[int], end_s: float, clock: Callable[[], float]) -> Calibration | None:
    """Let the candidates take turns until `end_s`, at least one each; None where even that takes too long."""
    if turns.first_step_s() > MAX_STEP_S:
        return None
    started_s = clock()
    turns.take(candidates[0])
    if (clock() - started_s) * len(candidates) > MAX_ROUND_S:
        return None
    waiting = list(candidates[1:])
    while waiting or clock() < end_s:
        waiting = waiting or list(candidates)
        turns.take(waiting.pop(0))
    return Calibration(threads_decode=_best(turns.decodes_s), threads_prefill=_best(turns.prefills_s))


def _best(steps_s: Mapping[int, Sequence[float]]) -> int:
    """Return the fewest threads that are as fast as the fastest, but for a little."""
    medians_s = {threads: median(times_s) for threads, times_s in steps_s.items()}
    least_s = min(medians_s.values())
    return min(threads for threads, step_s in medians_s.items() if step_s <= _TIE_RATIO * least_s)


def _any_tokens(start: int, num_tokens: int, vocab_size: int) -> TokenArray:
    """Return tokens from all over the vocabulary, as a text has them."""
    return (np.arange(start, start + num_tokens) * 7919 % vocab_size).astype(np.int32)
