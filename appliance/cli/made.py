"""What the command line says of models that jobs made: their names, and what quantizing them cost."""

import msgspec

from appliance.core.admin import ModelLoss
from appliance.core.jobs import Job, KeptModel
from appliance.words import tr

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
        return tr("no worse than the original")
    return tr("{ratio:.1%} worse than the original", ratio=loss.loss_ratio)


def loss_facts(loss: ModelLoss | None) -> list[tuple[str, str | None]]:
    """Return what `models show` and `jobs show` say of a quantized model's quality."""
    if loss is None:
        return []
    figures = [loss_in_words(loss)]
    if loss.perplexity is not None and loss.reference_perplexity is not None:
        now, before = loss.perplexity, loss.reference_perplexity
        figures.append(tr("perplexity {now:.4g}, was {before:.4g}", now=now, before=before))
    if loss.kl_mean is not None and loss.kl_p99 is not None:
        figures.append(tr("divergence {mean:.3g} (99 %: {most:.3g})", mean=loss.kl_mean, most=loss.kl_p99))
    if loss.top1_agreement_ratio is not None:
        figures.append(tr("same first choice {ratio:.1%}", ratio=loss.top1_agreement_ratio))
    if loss.cosine_mean is not None and loss.cosine_min is not None:
        figures.append(tr("cosine {mean:.4f} (least {least:.4f})", mean=loss.cosine_mean, least=loss.cosine_min))
    if loss.ranking_agreement_ratio is not None:
        figures.append(tr("same ranking {ratio:.1%}", ratio=loss.ranking_agreement_ratio))
    return [("quantized as", loss.method or None), ("quality", ", ".join(figures))]
