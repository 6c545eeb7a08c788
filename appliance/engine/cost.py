"""What a step costs: a linear model in its tokens, fitted to the steps lately taken. Pure arithmetic, no clock.

    step_s = a + b * prefill_tokens + c * decode_runs + d * context_tokens + e * retained_tokens

Fitted by least squares with a ridge towards a prior, so that it answers from the first step on, and only when it is
asked: a step that nobody has to plan for costs one entry in a list.
"""

from collections import deque
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_NUM_STEPS = 128  # how far back it looks: it follows a machine that slows down within seconds
_RIDGE = 1e-3  # how many steps' worth of trust the prior has, in squared scaled units
_MAX_STRETCH = 5.0  # the longest step is so many targets long
_SCALE = np.array([1.0, 100.0, 10.0, 10_000.0, 10_000.0])  # one typical unit of each feature
_PRIOR = np.array([0.01, 0.2, 0.02, 0.01, 0.005])  # seconds per typical unit, of a small model on two cores


class StepShape(NamedTuple):
    """The size of a step: prefill tokens, decoding runs, tokens attended to by all runs, and idle retained tokens."""

    prefill_tokens: int
    decode_runs: int
    context_tokens: int
    retained_tokens: int


class CostModel:
    """The fitted cost of a step on this machine with this model."""

    def __init__(self) -> None:
        self._mixed: deque[tuple[StepShape, float]] = deque(maxlen=_NUM_STEPS)
        self._plain: deque[tuple[StepShape, float]] = deque(maxlen=_NUM_STEPS)

    def observe(self, shape: StepShape, step_s: float) -> None:
        """Learn from a step that was taken. Steps with prefill are remembered apart, or thousands without would be all
        that is known when the next prompt comes."""
        (self._mixed if shape.prefill_tokens else self._plain).append((shape, step_s))

    def predict_s(self, shape: StepShape) -> float:
        """Return the expected duration of a step of this shape."""
        return float(_features([shape])[0] @ self._weights())

    def prefill_budget_tokens(self, decodes: StepShape, num_prefills: int, target_s: float) -> int:
        """Return how many prefill tokens fit beside `decodes`, while `num_prefills` prompts are being read.

        The target is what a stream waits for a single newcomer among many. It stretches with the newcomers for each
        stream, up to `_MAX_STRETCH`: a batch that fills up sooner serves everybody faster.
        """
        weights = self._weights()
        decodes_s = float(_features([decodes])[0] @ weights)
        stretch = min(1 + num_prefills / max(decodes.decode_runs, 1), _MAX_STRETCH)
        return int((target_s * stretch - decodes_s) * _SCALE[1] / max(float(weights[1]), 1e-6))

    def _weights(self) -> npt.NDArray[np.float64]:
        """Return the fitted seconds per typical unit, none negative: no part of a step gives time back."""
        steps = [*self._mixed, *self._plain]
        features = _features([shape for shape, _ in steps])
        durations_s = np.array([step_s for _, step_s in steps], np.float64)
        normal = features.T @ features + _RIDGE * np.eye(len(_PRIOR))
        weights: npt.NDArray[np.float64] = np.linalg.solve(normal, features.T @ durations_s + _RIDGE * _PRIOR).astype(
            np.float64
        )
        np.maximum(weights, 0.0, out=weights)
        return weights


def _features(shapes: list[StepShape]) -> npt.NDArray[np.float64]:
    """Return `(num_shapes, 5) float64`, each feature in its typical unit."""
    features = np.ones((len(shapes), len(_SCALE)))
    features[:, 1:] = np.array(shapes, np.float64).reshape(len(shapes), len(_SCALE) - 1)
    features /= _SCALE
    return features
