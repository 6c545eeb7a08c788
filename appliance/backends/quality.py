"""What a quantized model lost: logits or vectors of the original and of the copy, as numbers to judge by.

Pure arithmetic on arrays; it knows neither files nor sessions.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from models.manifest import ModelQuality

FloatArray = npt.NDArray[np.float32]
MIN_TOKENS = 16
"""Fewer say nothing of a model."""


@dataclass
class DecoderLoss:
    """Gathers what two models say of the same tokens."""

    _nll: list[npt.NDArray[np.float64]] = field(default_factory=list)
    _reference_nll: list[npt.NDArray[np.float64]] = field(default_factory=list)
    _divergence: list[npt.NDArray[np.float64]] = field(default_factory=list)
    _agrees: list[npt.NDArray[np.bool_]] = field(default_factory=list)

    def add(self, reference: FloatArray, copy: FloatArray, following: npt.NDArray[np.int32]) -> None:
        """Take the logits `(num_tokens, vocab_size)` of both and the tokens that really followed."""
        expected, got = _log_softmax(reference), _log_softmax(copy)
        rows = np.arange(len(following))
        self._reference_nll.append(-expected[rows, following].astype(np.float64))
        self._nll.append(-got[rows, following].astype(np.float64))
        self._divergence.append((np.exp(expected) * (expected - got)).sum(1, dtype=np.float64))
        self._agrees.append(expected.argmax(1) == got.argmax(1))

    def mean_divergence(self) -> float:
        """Return the mean Kullback-Leibler divergence of the copy from the original, in nats."""
        return float(np.concatenate(self._divergence).mean())

    def quality(self) -> ModelQuality:
        """Return the figures over everything added. Raises: ValueError, where that is too little to judge by.

        The loss is the growth of perplexity, on these texts or on such as the original writes itself, whichever is
        larger: a model may do no worse on texts that it never understood, and is not what it was for all that.
        """
        num_tokens = sum(map(len, self._nll))
        if num_tokens < MIN_TOKENS:
            raise ValueError(f"{num_tokens} tokens are too few to compare two models by")
        divergence = np.concatenate(self._divergence)
        perplexity, reference = (float(np.exp(np.concatenate(x).mean())) for x in (self._nll, self._reference_nll))
        growth_on_own_text = float(np.expm1(divergence.mean()))
        return ModelQuality(
            num_samples=num_tokens,
            loss_ratio=max(perplexity / reference - 1, growth_on_own_text),
            perplexity=perplexity,
            reference_perplexity=reference,
            kl_mean=float(divergence.mean()),
            kl_p99=float(np.percentile(divergence, 99)),
            top1_agreement_ratio=float(np.concatenate(self._agrees).mean()),
        )


def encoder_quality(reference: FloatArray, copy: FloatArray) -> ModelQuality:
    """Compare vectors `(num_texts, width)`, of length 1, by direction and by how they rank one another.

    The ranking of a text is the order of all others by similarity; two rankings agree as much as their ranks
    correlate (Spearman). The loss is the larger of what is missing to 1 in the mean cosine and in that agreement.
    """
    cosines = (reference * copy).sum(1)
    ranks = [_ranks_of_others(vectors @ vectors.T) for vectors in (reference, copy)]
    centred = [rank - rank.mean(1, keepdims=True) for rank in ranks]
    agreement = (centred[0] * centred[1]).sum(1) / np.sqrt((centred[0] ** 2).sum(1) * (centred[1] ** 2).sum(1))
    return ModelQuality(
        num_samples=len(cosines),
        loss_ratio=max(1 - float(cosines.mean()), 1 - float(agreement.mean()), 0.0),
        cosine_mean=float(cosines.mean()),
        cosine_min=float(cosines.min()),
        ranking_agreement_ratio=float(agreement.mean()),
    )


def _log_softmax(logits: FloatArray) -> FloatArray:
    shifted = logits - logits.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)), np.float32)


def _ranks_of_others(similarities: FloatArray) -> npt.NDArray[np.float64]:
    """Return `(num_texts, num_texts - 1)`: the rank of each other text, in the order of the texts."""
    num_texts = len(similarities)
    others = similarities[~np.eye(num_texts, dtype=bool)].reshape(num_texts, num_texts - 1)
    return others.argsort(1).argsort(1).astype(np.float64)
