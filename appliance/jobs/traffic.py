"""Who asked for what, and how long ago: what idle work begins after, and ends with."""

import time
from collections.abc import Callable

from appliance.core.events import ModelStateChanged, RequestQueued, SystemEvent
from models.names import base_of


class Traffic:
    """Watches requests and models that are loaded. Every method runs on the event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_s = clock()
        self._asked_s: dict[str, float] = {}
        self._make_way: Callable[[], None] | None = None

    def interrupt(self, make_way: Callable[[], None]) -> None:
        """Call `make_way` from now on, whenever somebody asks for something."""
        self._make_way = make_way

    def observe(self, event: SystemEvent) -> None:
        """Hear of what happens."""
        if isinstance(event, RequestQueued):
            self._asked_s[base_of(event.model)] = self._clock()
        elif not isinstance(event, ModelStateChanged) or event.state != "loading":
            return
        self.note()
        if self._make_way is not None:
            self._make_way()

    def note(self) -> None:
        """Count this moment as one with traffic."""
        self._last_s = self._clock()

    def quiet_s(self) -> float:
        """Return how long there was none."""
        return self._clock() - self._last_s

    def recent_models(self) -> list[str]:
        """Return the models that somebody asked for, the last one first."""
        return sorted(self._asked_s, key=lambda model: -self._asked_s[model])
