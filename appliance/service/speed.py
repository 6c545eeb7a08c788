"""How fast a model should be for one conversation, as operators are told: what the backend that runs it predicts."""

from appliance.backends.prior import Predicted
from appliance.core.catalogue import Speed


def speed_view(predicted: Predicted | None) -> Speed | None:
    """Return the speeds with what they rest on; None for a model that does not write, and where nothing is known."""
    if predicted is None or predicted.speed.decode_1_tokens_per_s is None:
        return None
    return Speed(
        decode_tokens_per_s=predicted.speed.decode_1_tokens_per_s,
        prompt_tokens_per_s=predicted.speed.prefill[-1].tokens_per_s,
        basis=predicted.basis,
    )
