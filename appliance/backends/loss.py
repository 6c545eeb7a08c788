"""How much a quantized model may lose, and what is said of one that lost more."""

import math

from appliance.errors import InvalidRequest
from models.manifest import ModelQuality


class LossTooLarge(InvalidRequest):
    """The quantized model is worse than was allowed; it was not kept."""


def is_within(quality: ModelQuality, max_loss_ratio: float) -> bool:
    """Return whether a quantized model passes the gate. One whose answers are no numbers passes none."""
    return math.isfinite(quality.loss_ratio) and quality.loss_ratio <= max_loss_ratio


def check_loss(
    quality: ModelQuality,
    max_loss_ratio: float,
    accepts_loss: bool,
    mend: str = "try int8, --mixed or a smaller block",
) -> None:
    """Raise LossTooLarge past the threshold, unless any loss is accepted; `mend` is what might lose less."""
    is_number = math.isfinite(quality.loss_ratio)
    if is_number and (accepts_loss or quality.loss_ratio <= max_loss_ratio):
        return
    what = f"{quality.loss_ratio:.1%} worse than the original" if is_number else "broken: its answers are no numbers"
    advice = f"; {mend}, or keep it with --accept-loss" if is_number else ""
    raise LossTooLarge(f"the quantized model is {what}, {max_loss_ratio:.1%} are allowed{advice}")
