"""What a step costs: a linear model in its tokens, fitted to the steps lately taken. Pure arithmetic, no clock.

    step_s = a + b * prefill_tokens + c * decode_runs + d * context_tokens + e * retained_tokens

Fitted by least squares with exponential forgetting and a ridge towards a prior, so that it answers from the first
step on and follows a machine that slows down.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_MEMORY = 0.98  # weight of the past at each new step: the last 50 steps count most
_RIDGE = 1e-3  # how many steps' worth of trust the prior has, in squared scaled units
_SCALE = np.array([1.0, 100.0, 10.0, 10_000.0, 10_000.0])  # one typical unit of each feature
_PRIOR = np.array([0.01, 0.2, 0.02, 0.01, 0.005])  # seconds per typical unit, of a small model on two cores


@dataclass(frozen=True, slots=True)
class StepShape:
    """The size of a step: prefill tokens, decoding runs, tokens attended to by all runs, and idle retained tokens."""

    prefill_tokens: int
    decode_runs: int
    context_tokens: int
    retained_tokens: int


class CostModel:
    """The fitted cost of a step on this machine with this model."""

    def __init__(self) -> None:
        self._normal = np.eye(len(_PRIOR)) * _RIDGE
        self._moment = _RIDGE * _PRIOR
        self._weights: npt.NDArray[np.float64] = _PRIOR
        self._is_stale = False

    def observe(self, shape: StepShape, step_s: float) -> None:
        """Learn from a step that was taken."""
        features = _features(shape)
        self._normal = _MEMORY * self._normal + np.outer(features, features)
        self._moment = _MEMORY * self._moment + features * step_s
        self._is_stale = True

    def predict_s(self, shape: StepShape) -> float:
        """Return the expected duration of a step of this shape."""
        return float(_features(shape) @ self._fit())

    def prefill_budget_tokens(self, shape: StepShape, target_s: float) -> int:
        """Return how many prefill tokens can be added to `shape` within `target_s`; it may be 0 or less."""
        per_token_s = float(self._fit()[1]) / _SCALE[1]
        return int((target_s - self.predict_s(shape)) / max(per_token_s, 1e-9))

    def _fit(self) -> npt.NDArray[np.float64]:
        if self._is_stale:
            ridge = np.eye(len(_PRIOR)) * _RIDGE
            solved = np.linalg.solve(self._normal + ridge, self._moment + _RIDGE * _PRIOR)
            self._weights = np.maximum(solved, 0.0)  # no part of a step gives time back
            self._is_stale = False
        return self._weights


def _features(shape: StepShape) -> npt.NDArray[np.float64]:
    raw = (1.0, shape.prefill_tokens, shape.decode_runs, shape.context_tokens, shape.retained_tokens)
    features: npt.NDArray[np.float64] = np.array(raw, np.float64)
    features /= _SCALE
    return features
