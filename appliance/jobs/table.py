"""The jobs on disk: a row for each, whole. Knows no state's meaning; every method may wait for the disk."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from appliance.core.jobs import ENDED, Job, JobId
from appliance.database import open_database, storage_errors
from appliance.errors import StorageError

MAX_ENDED = 1000
"""So many jobs that have ended are remembered."""

_SAVE = """
INSERT INTO jobs (id, state, job) VALUES (?, ?, ?)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, job = excluded.job
"""
_ENDED = ", ".join(f"'{state}'" for state in sorted(ENDED))
_PRUNE = f"""
DELETE FROM jobs WHERE state IN ({_ENDED}) AND number <= (
    SELECT number FROM jobs WHERE state IN ({_ENDED}) ORDER BY number DESC LIMIT 1 OFFSET ?
)
"""  # noqa: S608  (the states are our own)


class JobTable:
    """Owns the table `jobs`. One thread at a time. Every method raises: StorageError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = open_database(path)

    def save(self, jobs: Iterable[Job]) -> None:
        """Write jobs, all or none; they are on the disk when this returns."""
        rows = [(job.id, job.state, msgspec.json.encode(job).decode()) for job in jobs]
        with storage_errors(self._path), self._transaction():
            self._connection.executemany(_SAVE, rows)
            self._connection.execute(_PRUNE, (MAX_ENDED,))

    def get(self, job_id: JobId) -> Job | None:
        """Return one job, None when there is none of that id."""
        return next(iter(self._read("WHERE id = ?", job_id)), None)

    def newest(self, max_jobs: int) -> list[Job]:
        """Return the newest jobs, the newest first."""
        return self._read("ORDER BY number DESC LIMIT ?", max_jobs)

    def active(self) -> list[Job]:
        """Return the jobs that have not ended, the oldest first."""
        return self._read(f"WHERE state NOT IN ({_ENDED}) ORDER BY number")

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def _read(self, condition: str, *values: str | int) -> list[Job]:
        with storage_errors(self._path):
            rows = self._connection.execute(f"SELECT job FROM jobs {condition}", values).fetchall()  # noqa: S608
        try:
            return [msgspec.json.decode(row[0], type=Job) for row in rows]
        except msgspec.DecodeError as error:
            raise StorageError(f"{self._path} holds a job that cannot be read: {error}") from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
