"""What the command line says of models that jobs made: their names, and what quantizing them cost."""

import msgspec

from appliance.core.admin import ModelLoss
from appliance.core.jobs import Job, KeptModel

_UNNOTICEABLE_RATIO = 0.0005


def model_made_by(job: Job) -> KeptModel | None:
    """Return what a finished job made, None for one that makes no models."""
    try:
        return msgspec.convert(job.result, KeptModel)
    except msgspec.ValidationError:
        return None


def loss_in_words(loss: ModelLoss) -> str:
    """Return the one figure that the quality gate goes by."""
    if loss.loss_ratio < _UNNOTICEABLE_RATIO:
        return "no worse than the original"
    return f"{loss.loss_ratio:.1%} worse than the original"


def loss_facts(loss: ModelLoss | None) -> list[tuple[str, str | None]]:
    """Return what `models show` and `jobs show` say of a quantized model's quality."""
    if loss is None:
        return []
    figures = [loss_in_words(loss)]
    if loss.perplexity is not None and loss.reference_perplexity is not None:
        figures.append(f"perplexity {loss.perplexity:.4g}, was {loss.reference_perplexity:.4g}")
    if loss.kl_mean is not None and loss.kl_p99 is not None:
        figures.append(f"divergence {loss.kl_mean:.3g} (99 %: {loss.kl_p99:.3g})")
    if loss.top1_agreement_ratio is not None:
        figures.append(f"same first choice {loss.top1_agreement_ratio:.1%}")
    if loss.cosine_mean is not None and loss.cosine_min is not None:
        figures.append(f"cosine {loss.cosine_mean:.4f} (least {loss.cosine_min:.4f})")
    if loss.ranking_agreement_ratio is not None:
        figures.append(f"same ranking {loss.ranking_agreement_ratio:.1%}")
    return [("quantized as", loss.method or None), ("quality", ", ".join(figures))]
