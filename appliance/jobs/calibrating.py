"""Measures models while nobody needs the machine: what is due by itself, and what a person asked for."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from appliance.core.calibration import CalibrationJobs
from appliance.core.jobs import JobId
from appliance.errors import ApplianceError, StorageError
from appliance.service.benchmarks import CALIBRATE, Benchmarks
from appliance.service.installed import Installed

from .idle import IdleGate
from .jobs import Jobs
from .traffic import Traffic

PERIOD_S = 5.0
"""How often it looks whether something may begin."""
SCAN_EVERY = 12
"""How seldom it looks for models that were not measured, which reads the disk, when there were none."""
_NOBODY = ""

logger = logging.getLogger(__name__)


class Calibrating:
    """Owns which calibration is given in next: one after the other, so that the models in use come first."""

    def __init__(
        self,
        jobs: Jobs,
        traffic: Traffic,
        gate: IdleGate,
        benchmarks: Benchmarks,
        installed: Installed,
        *,
        is_on: bool,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Without `is_on`, only what a person asks for is measured."""
        self._jobs = jobs
        self._traffic = traffic
        self._gate = gate
        self._benchmarks = benchmarks
        self._installed = installed
        self._is_on = is_on
        self._pause = pause
        self._current: JobId | None = None
        self._skipped: frozenset[str] = frozenset()
        self._num_looks = 0
        self._began_s = now()

    async def order(self, model: str | None, backends: Sequence[str], caller: str) -> CalibrationJobs:
        """Give in what measures a model, now. Raises: as `Benchmarks.orders` and `Jobs.submit`."""
        canonical = self._installed.resolve(model)
        orders = await asyncio.to_thread(self._benchmarks.orders, canonical, backends)
        jobs = [await self._jobs.submit(CALIBRATE.name, order, caller) for order in orders]
        for job in jobs:
            self._gate.hurry(job.id)
        waits_for = self._gate.obstacle(jobs[0])
        self._jobs.look_again()
        return CalibrationJobs(model=canonical, jobs=tuple(jobs), waits_for=waits_for)

    async def keep_watch(self) -> None:
        """Watch for ever."""
        self._traffic.interrupt(self._jobs.make_way)
        await self._give_up_deadly()
        while True:
            try:
                await self.look()
            except Exception:
                logger.exception("calibrations could not be looked after")
            await self._pause(PERIOD_S)

    async def look(self) -> None:
        """Let begin what may, and give in the next that is due."""
        self._jobs.look_again()
        if not self._is_on or not self._gate.is_quiet():
            return
        try:
            if not await self._is_under_way():
                await self._give_in_next()
        except (ApplianceError, OSError) as problem:
            logger.warning("nothing is measured now: %s", problem)

    async def _give_up_deadly(self) -> None:
        """Try no more what the last daemons died of, which the jobs found out when they were taken up."""
        try:
            failed = [job for job in await self._jobs.newest() if job.kind == CALIBRATE.name and job.state == "failed"]
        except StorageError as problem:
            logger.warning("nothing is known of earlier calibrations: %s", problem)
            return
        for job in failed:
            if job.num_interruptions and (job.ended_s or 0.0) >= self._began_s:
                await asyncio.to_thread(self._benchmarks.give_up, job)

    async def _is_under_way(self) -> bool:
        """Return whether what was given in last has not ended; where it failed, it is not tried again."""
        if self._current is None:
            return False
        job = await self._jobs.get(self._current)
        if not job.has_ended:
            return True
        self._current, self._num_looks = None, 0
        if job.state == "failed":
            await asyncio.to_thread(self._benchmarks.give_up, job)
        elif job.state == "cancelled":
            self._skipped |= {str(job.arguments["candidate"])}
        return False

    async def _give_in_next(self) -> None:
        self._num_looks, is_due = self._num_looks + 1, self._num_looks % SCAN_EVERY == 0
        if not is_due:
            return
        order = await asyncio.to_thread(self._benchmarks.due, self._traffic.recent_models(), self._skipped)
        if order is not None:
            self._current = (await self._jobs.submit(CALIBRATE.name, order, _NOBODY)).id
