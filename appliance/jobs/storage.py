"""The table of jobs from the event loop: one thread does the waiting, and what could not be written is tried again."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from appliance.core.jobs import Job, JobId
from appliance.core.notify import Delivery
from appliance.errors import StorageError

from .table import JobTable

T = TypeVar("T")

logger = logging.getLogger(__name__)


class JobStorage:
    """Owns the table. A table that cannot be used disables the jobs, not the daemon: each call says what is wrong."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._table: JobTable | None = None
        self._fault: StorageError | None = None
        self._unsaved: dict[JobId, Job] = {}
        self._untold: list[Delivery] = []
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="jobs")

    async def open(self) -> list[Job]:
        """Return the jobs that have not ended, the oldest first; none where the table cannot be used."""
        try:
            self._table = await self._do(lambda: JobTable(self._path))
            return await self._do(self._table.active)
        except StorageError as error:
            logger.error("jobs are disabled: %s", error)
            self._fault = error
            return []

    async def add(self, job: Job) -> None:
        """Write a new job. Raises: StorageError, and then the job does not exist."""
        table = self._usable()
        await self._do(lambda: table.save([job]))

    async def update(self, job: Job, deliveries: Iterable[Delivery] = ()) -> None:
        """Write a job that changed and who is told, with all that could not be written before; a failure is logged."""
        self._unsaved[job.id] = job
        self._untold += deliveries
        batch, told, table = tuple(self._unsaved.values()), tuple(self._untold), self._usable()
        try:
            await self._do(lambda: table.save(batch, told))
        except StorageError as error:
            logger.error("job %s is %s, which could not be saved: %s", job.id, job.state, error)
            return
        self._unsaved = {saved.id: saved for saved in self._unsaved.values() if saved not in batch}
        self._untold = [each for each in self._untold if each not in told]

    async def get(self, job_id: JobId) -> Job | None:
        """Return one job. Raises: StorageError."""
        table = self._usable()
        return self._unsaved.get(job_id) or await self._do(lambda: table.get(job_id))

    async def newest(self, max_jobs: int) -> list[Job]:
        """Return the newest jobs, the newest first. Raises: StorageError."""
        table = self._usable()
        return [self._unsaved.get(job.id, job) for job in await self._do(lambda: table.newest(max_jobs))]

    async def close(self) -> None:
        """Write what is left and close the table."""
        if self._table is not None:
            if self._unsaved:
                await self.update(next(iter(self._unsaved.values())))
            await self._do(self._table.close)
        self._thread.shutdown()

    def _usable(self) -> JobTable:
        if self._fault is not None:
            raise StorageError(f"there are no jobs now: {self._fault.message}")
        assert self._table is not None, "open it first"
        return self._table

    async def _do(self, action: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, action)
