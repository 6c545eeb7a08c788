"""What came over the wire as the daemon goes on with it: all normalizers on, or some off."""

from typing import TypeVar

from appliance.core.events import SystemEvent
from appliance.dialects.normalizers import ModelFacts
from appliance.service.normalizing import Normalizing
from appliance.settings import NormalizersSettings

T = TypeVar("T")


def normalized(
    wire: T, *off: str, trained_context_tokens: int | None = None, told: list[SystemEvent] | None = None
) -> T:
    """Return the request with all that is done about clients' habits, but for what is `off`."""
    settings = NormalizersSettings(**dict.fromkeys(off, False))
    publish = (told if told is not None else []).append
    return Normalizing(settings, publish).apply(wire, ModelFacts(trained_context_tokens=trained_context_tokens))
