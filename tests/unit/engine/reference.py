"""The filters written plainly, in float64 over the whole vocabulary: what the fast ones are checked against."""

import math

import numpy as np
import numpy.typing as npt

from appliance.core.sampling import SamplingParams

Probabilities = npt.NDArray[np.float64]


def distribution(row: npt.NDArray[np.float32], params: SamplingParams) -> Probabilities:
    """Return the probability of every token after all filters; among equals, the lower id comes first."""
    logits = row.astype(np.float64) / params.temperature
    kept = np.isfinite(logits)
    if params.top_k:
        kept &= ranks(logits) < params.top_k
    if params.typical_p < 1:
        surprise = -np.log(np.where(kept, softmax(logits, kept), 1.0))
        deviation = np.where(kept, np.abs(surprise - (softmax(logits, kept) * surprise).sum()), math.inf)
        kept &= within_mass(softmax(logits, kept), ranks(-deviation), params.typical_p)
    if params.top_p < 1:
        kept &= within_mass(softmax(logits, kept), ranks(np.where(kept, logits, -math.inf)), params.top_p)
    if params.min_p:
        probabilities = softmax(logits, kept)
        kept &= probabilities >= params.min_p * probabilities.max()
    return softmax(logits, kept)


def softmax(logits: Probabilities, kept: npt.NDArray[np.bool_]) -> Probabilities:
    weights = np.where(kept, np.exp(logits - logits[kept].max()), 0.0)
    return weights / weights.sum()


def ranks(scores: Probabilities) -> npt.NDArray[np.intp]:
    """Return each entry's place when sorted from the largest."""
    places = np.empty(scores.size, np.intp)
    places[np.argsort(-scores, kind="stable")] = np.arange(scores.size)
    return places


def within_mass(probabilities: Probabilities, places: npt.NDArray[np.intp], mass: float) -> npt.NDArray[np.bool_]:
    """Return which entries are needed, taken by place, until their sum reaches `mass`; always the first."""
    return np.array([place == 0 or probabilities[places < place].sum() < mass for place in places])


def borders(row: npt.NDArray[np.float32], params: SamplingParams) -> Probabilities:
    """Return the cumulative probabilities at which `top_p` could cut; rounding decides when it is one of them."""
    before = distribution(row, SamplingParams(temperature=params.temperature, top_k=params.top_k))
    return np.cumsum(np.sort(before)[::-1])
