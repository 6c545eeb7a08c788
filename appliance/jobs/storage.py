"""The table of jobs from the event loop: what could not be written is tried again with the next that is."""

import logging
from collections.abc import Iterable
from pathlib import Path

from appliance.core.jobs import Job, JobId
from appliance.core.notify import Delivery
from appliance.errors import StorageError
from appliance.service.table_thread import TableThread

from .table import JobTable

logger = logging.getLogger(__name__)


class JobStorage(TableThread[JobTable]):
    """Owns the table, and what of it is not on the disk yet."""

    def __init__(self, path: Path) -> None:
        super().__init__("jobs", lambda: JobTable(path))
        self._unsaved: dict[JobId, Job] = {}
        self._untold: list[Delivery] = []

    async def active(self) -> list[Job]:
        """Return the jobs that have not ended, the oldest first. Raises: StorageError."""
        return await self.do(lambda table: table.active())

    async def add(self, job: Job) -> None:
        """Write a new job. Raises: StorageError, and then the job does not exist."""
        await self.do(lambda table: table.save([job]))

    async def update(self, job: Job, deliveries: Iterable[Delivery] = ()) -> None:
        """Write a job that changed and who is told, with all that could not be written before; a failure is logged."""
        self._unsaved[job.id] = job
        self._untold += deliveries
        batch, told = tuple(self._unsaved.values()), tuple(self._untold)
        try:
            await self.do(lambda table: table.save(batch, told))
        except StorageError as error:
            logger.error("job %s is %s, which could not be saved: %s", job.id, job.state, error)
            return
        self._unsaved = {saved.id: saved for saved in self._unsaved.values() if saved not in batch}
        self._untold = [each for each in self._untold if each not in told]

    async def get(self, job_id: JobId) -> Job | None:
        """Return one job. Raises: StorageError."""
        return self._unsaved.get(job_id) or await self.do(lambda table: table.get(job_id))

    async def newest(self, max_jobs: int) -> list[Job]:
        """Return the newest jobs, the newest first. Raises: StorageError."""
        found = await self.do(lambda table: table.newest(max_jobs))
        return [self._unsaved.get(job.id, job) for job in found]

    async def close(self) -> None:
        """Write what is left and close the table."""
        if self._unsaved:
            await self.update(next(iter(self._unsaved.values())))
        await super().close()
