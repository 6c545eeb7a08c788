"""Watches heat and battery, and lets models hold back before the machine slows itself down. Decides nothing itself."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from appliance.core.easing import Easing, Strain
from appliance.scheduler.easing import ease
from appliance.settings import PowerSettings

PERIOD_S = 5.0
"""How often the sensors are read. A processor takes tens of seconds to become hot."""

logger = logging.getLogger(__name__)


class Eased(Protocol):
    """Whoever makes models work less hard."""

    easing: Easing

    def ease(self, easing: Easing) -> None:
        """Let models use so much of what they could, and batches wait or go on."""


class Warden:
    """Reads the sensors now and then, on a thread, and tells the scheduler what changes."""

    def __init__(
        self,
        read: Callable[[], Strain],
        scheduler: Eased,
        settings: PowerSettings,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._read = read
        self._scheduler = scheduler
        self._settings = settings
        self._pause = pause

    async def keep_watch(self) -> None:
        """Watch for ever."""
        while True:
            await self.look()
            await self._pause(PERIOD_S)

    async def look(self) -> None:
        """Read the sensors once. Words that change alone, such as degrees, are no news."""
        before = self._scheduler.easing
        now = ease(await asyncio.to_thread(self._read), before, self._settings)
        if (now.work_ratio, now.holds_batch) != (before.work_ratio, before.holds_batch):
            _log(now)
            self._scheduler.ease(now)


def _log(easing: Easing) -> None:
    if easing.is_full:
        logger.info("models work with full force again")
    else:
        logger.warning("models work at %.0f %%, and batches wait: %s", easing.work_ratio * 100, easing.reason)
