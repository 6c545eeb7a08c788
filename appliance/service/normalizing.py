"""Applies what is done about clients' habits, where it is not switched off, and tells that it was."""

import logging
from collections.abc import Callable
from typing import TypeVar

from appliance.core.events import RequestNormalized, SystemEvent
from appliance.dialects.normalizers import NORMALIZERS, ModelFacts
from appliance.settings import NormalizersSettings

T = TypeVar("T")
_NOTHING_KNOWN = ModelFacts()

logger = logging.getLogger(__name__)


class Normalizing:
    """Owns which normalizers are on. Called on the daemon's loop."""

    def __init__(self, settings: NormalizersSettings, publish: Callable[[SystemEvent], None]) -> None:
        self._normalizers = tuple(each for each in NORMALIZERS if getattr(settings, each.quirk.name))
        self._publish = publish

    def apply(self, wire: T, facts: ModelFacts = _NOTHING_KNOWN) -> T:
        """Return the request as its client meant it. Raises: InvalidRequest."""
        for each in self._normalizers:
            if not isinstance(wire, each.wire):
                continue
            normalized: T = each.normalize(wire, facts)
            if normalized is not wire:
                logger.debug("a request was normalized: %s", each.quirk.name)
                self._publish(RequestNormalized(normalizer=each.quirk.name))
                wire = normalized
        return wire
