"""The jobs on disk: a row for each, whole. Knows no state's meaning; every method may wait for the disk."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from appliance.core.jobs import ENDED, Job, JobId
from appliance.core.notify import Delivery
from appliance.database import JsonTable, listed, storage_errors, transaction

from .notify.outbox import put

MAX_ENDED = 1000
"""So many jobs that have ended are remembered."""

_SAVE = """
INSERT INTO jobs (id, state, job) VALUES (?, ?, ?)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, job = excluded.job
"""
_ENDED = listed(ENDED)
_PRUNE = f"""
DELETE FROM jobs WHERE state IN ({_ENDED}) AND number <= (
    SELECT number FROM jobs WHERE state IN ({_ENDED}) ORDER BY number DESC LIMIT 1 OFFSET ?
)
"""  # noqa: S608  (the states are our own)


class JobTable(JsonTable[Job]):
    """Owns the table `jobs`. One thread at a time. Every method raises: StorageError."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "jobs", "job", Job)

    def save(self, jobs: Iterable[Job], deliveries: Iterable[Delivery] = ()) -> None:
        """Write jobs and who is to be told of them, all or nothing; all is on the disk when this returns."""
        rows = [(job.id, job.state, msgspec.json.encode(job).decode()) for job in jobs]
        with storage_errors(self._path), transaction(self._connection):
            self._connection.executemany(_SAVE, rows)
            self._connection.execute(_PRUNE, (MAX_ENDED,))
            put(self._connection, deliveries)

    def get(self, job_id: JobId) -> Job | None:
        """Return one job, None when there is none of that id."""
        return next(iter(self._read("id = ?", job_id)), None)

    def newest(self, max_jobs: int) -> list[Job]:
        """Return the newest jobs, the newest first."""
        return self._read("TRUE ORDER BY number DESC LIMIT ?", max_jobs)

    def active(self) -> list[Job]:
        """Return the jobs that have not ended, the oldest first."""
        return self._read(f"state NOT IN ({_ENDED}) ORDER BY number")
