"""What a step costs: a linear model in what it computes, fitted to the steps lately taken. Pure arithmetic, no clock.

    step_s = a + b * prefill_tokens + c * decode_runs + d * context_tokens + e * retained_tokens + f * prefill_pairs

The last stands for attention: a prompt's token costs the more, the more tokens stand before it.

Fitted by least squares with a ridge towards a prior, so that it answers from the first step on, and only when it is
asked: a step that nobody has to plan for costs one entry in a list.
"""

import math
from collections import deque
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_NUM_STEPS = 128  # how far back it looks: it follows a machine that slows down within seconds
_RIDGE = 1e-3  # how many steps' worth of trust the prior has, in squared scaled units
_LEARNING_RATE = 0.2  # how much of a new measurement a step with drafts takes over
_OPTIMISM = 0.02  # what a drafted token is believed to add to a step until it was tried
_LEAST_TOKEN_S = 1e-8
_DRAFT_SIZES = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
_SCALE = np.array([1.0, 100.0, 10.0, 10_000.0, 10_000.0, 100_000.0])  # one typical unit of each feature
_PRIOR = np.array([0.01, 0.2, 0.02, 0.01, 0.005, 0.02])  # seconds per typical unit, of a small model on two cores


class StepShape(NamedTuple):
    """The size of a step: prefill tokens, decoding runs, tokens attended to by all runs, and idle retained tokens.

    `prefill_pairs` are those of a prefill token and one that it attends to.
    """

    prefill_tokens: int
    decode_runs: int
    context_tokens: int
    retained_tokens: int
    prefill_pairs: float = 0.0


def pairs(start_tokens: int, num_tokens: int) -> float:
    """Return the pairs of a chunk of prefill that has so many tokens before it."""
    return num_tokens * (start_tokens + num_tokens / 2)


class CostModel:
    """The fitted cost of a step on this machine with this model."""

    def __init__(self) -> None:
        self._mixed: deque[tuple[StepShape, float]] = deque(maxlen=_NUM_STEPS)
        self._plain: deque[tuple[StepShape, float]] = deque(maxlen=_NUM_STEPS)
        self._fitted: npt.NDArray[np.float64] | None = None

    def observe(self, shape: StepShape, step_s: float) -> None:
        """Learn from a step that was taken. Steps with prefill are remembered apart, or thousands without would be all
        that is known when the next prompt comes."""
        (self._mixed if shape.prefill_tokens else self._plain).append((shape, step_s))
        self._fitted = None

    def predict_s(self, shape: StepShape) -> float:
        """Return the expected duration of a step of this shape."""
        return float(_features([shape])[0] @ self._weights())

    def prefill_budget_tokens(
        self, decodes: StepShape, step_s: float, share_ratio: float = 0.0, start_tokens: int = 0
    ) -> int:
        """Return how many prefill tokens behind `start_tokens` of their prompt bring a step with `decodes` to `step_s`.

        They get at least `share_ratio` of the time that the decodes take, however long that is: a caller whose prompt
        is read has a right to the machine, too.
        """
        weights = self._weights()
        decodes_s = float(_features([decodes])[0] @ weights)
        prefill_s = max(step_s - decodes_s, share_ratio * decodes_s)
        token_s, pair_s = float(weights[1]) / _SCALE[1], float(weights[5]) / _SCALE[5]
        token_s = max(token_s + pair_s * start_tokens, _LEAST_TOKEN_S)
        # token_s * n + pair_s * n^2 / 2 = prefill_s, in the form that also holds where pairs cost nothing
        return int(2 * prefill_s / (token_s + math.sqrt(token_s**2 + 2 * pair_s * prefill_s)))

    def _weights(self) -> npt.NDArray[np.float64]:
        if self._fitted is None:  # a step is planned with several questions, and one fit
            self._fitted = self._fit()
        return self._fitted

    def _fit(self) -> npt.NDArray[np.float64]:
        """Return the fitted seconds per typical unit, none negative: no part of a step gives time back."""
        steps = [*self._mixed, *self._plain]
        features = _features([shape for shape, _ in steps])
        durations_s = np.array([step_s for _, step_s in steps], np.float64)
        weights = np.zeros(len(_PRIOR))
        used = np.arange(len(_PRIOR))
        while used.size:
            part = features[:, used]
            normal = part.T @ part + _RIDGE * np.eye(used.size)
            solved = np.linalg.solve(normal, part.T @ durations_s + _RIDGE * _PRIOR[used])
            if (solved >= 0).all():
                weights[used] = solved
                break
            used = used[solved >= 0]  # and fitted anew without: what is merely cut off would be counted twice
        return weights


class DraftCosts:
    """How long steps without prefill take, by their sequences and drafted tokens, as measured.

    A line does not fit here: libraries compute two rows in another way than one, and eight in another than nine. What
    was never tried is believed to be cheap, so that it is tried; a larger step bounds what a smaller one can cost.
    """

    def __init__(self) -> None:
        self._measured_s: dict[tuple[int, int], float] = {}

    def observe(self, num_runs: int, num_drafted: int, step_s: float) -> None:
        """Learn from a step."""
        key = num_runs, _draft_size(num_drafted)
        known_s = self._measured_s.get(key, step_s)
        self._measured_s[key] = known_s + _LEARNING_RATE * (step_s - known_s)

    def predict_s(self, num_runs: int, num_planned: int, num_more: int = 0) -> float:
        """Return how long a step of so many runs takes with the drafted tokens that are planned and some more.

        The scale is only good for comparing steps of as many runs.
        """
        num_drafted = num_planned + num_more
        size = _draft_size(num_drafted)
        larger = [s for n in _DRAFT_SIZES if n >= size and (s := self._measured_s.get((num_runs, n))) is not None]
        if (num_runs, size) in self._measured_s:
            return min(larger)
        smaller = [(n, s) for n in _DRAFT_SIZES if n < size and (s := self._measured_s.get((num_runs, n))) is not None]
        base_drafted, base_s = smaller[-1] if smaller else (0, 1.0)
        return min([base_s * (1 + _OPTIMISM * (num_drafted - base_drafted)), *larger])


def _draft_size(num_drafted: int) -> int:
    return next((size for size in _DRAFT_SIZES if num_drafted <= size), _DRAFT_SIZES[-1])


def _features(shapes: list[StepShape]) -> npt.NDArray[np.float64]:
    """Return `(num_shapes, 6) float64`, each feature in its typical unit."""
    features = np.ones((len(shapes), len(_SCALE)))
    features[:, 1:] = np.array(shapes, np.float64).reshape(len(shapes), len(_SCALE) - 1)
    features /= _SCALE
    return features
