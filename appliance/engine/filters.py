"""The filters over candidate tokens and the draw among them: pure functions on small arrays.

Weights are probabilities up to a common factor, so no filter needs the normalizer of the whole vocabulary unless its
definition does. "Sorted" means likeliest first.
"""

import numpy as np
import numpy.typing as npt

from .rows import IdArray

WeightArray = npt.NDArray[np.float64]


def pick(weights: npt.NDArray[np.floating], point: float) -> int:
    """Return the index that `point` in [0, 1) falls on when the line is divided as the weights are.

    An entry of weight 0 is never returned.
    """
    cumulative = np.cumsum(weights, dtype=np.float64)
    total = cumulative[-1]
    index = int(cumulative.searchsorted(point * total, side="right"))
    # Rounding can lift the point onto the very end: the last entry that has weight is meant then.
    return index if index < cumulative.size else int(cumulative.searchsorted(total))


def nucleus_size(weights: WeightArray, mass: float) -> int:
    """Return how many of the sorted weights add up to at least `mass`; one more than there are when all do not."""
    return int(np.cumsum(weights).searchsorted(mass)) + 1


def typical(scores: WeightArray, weights: WeightArray, typical_p: float) -> npt.NDArray[np.bool_]:
    """Return which candidates form the locally typical set: those of least surprise about their mean surprise.

    `scores` are finite and the logarithms of `weights` up to a constant, which falls out of the difference.
    Source: Meister et al., "Locally Typical Sampling", 2023, section 5.
    """
    probabilities = weights / weights.sum()
    order = np.abs(scores - (probabilities * scores).sum()).argsort()
    kept = np.zeros(weights.size, np.bool_)
    kept[order[: nucleus_size(probabilities[order], typical_p)]] = True
    return kept


def keep_top_p(ids: IdArray, weights: WeightArray, mass: float) -> tuple[IdArray, WeightArray]:
    """Return the fewest of the sorted candidates that add up to `mass`; at least one."""
    size = nucleus_size(weights, mass)
    return ids[:size], weights[:size]


def keep_min_p(ids: IdArray, weights: WeightArray, min_p: float) -> tuple[IdArray, WeightArray]:
    """Return the sorted candidates that are at least `min_p` times as likely as the first."""
    size = int(np.count_nonzero(weights >= min_p * weights[0]))
    return ids[:size], weights[:size]
