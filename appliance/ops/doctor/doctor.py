"""The doctor that the daemon keeps: it looks at the daemon's own machine, one examination at a time."""

import asyncio
import os
from pathlib import Path

from appliance.core.doctor import Diagnosis
from appliance.ops.ready import Readiness
from appliance.settings import Settings

from .diagnose import diagnose
from .facts import DaemonFacts
from .gather import gather


class Doctor:
    """Examines in a thread, since files and child processes take their time."""

    def __init__(self, home: Path, settings: Settings, readiness: Readiness) -> None:
        self._home = home
        self._settings = settings
        self._readiness = readiness
        self._free = asyncio.Lock()

    async def examine(self) -> Diagnosis:
        """Return the findings as they are now."""
        reason = self._readiness.reason
        daemon = DaemonFacts(
            process=os.getpid(),
            is_ready=reason is None,
            not_ready_reason=reason,
        )
        async with self._free:
            return diagnose(await asyncio.to_thread(gather, self._home, lambda: self._settings, lambda: daemon))
