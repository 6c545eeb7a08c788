"""The batches on disk: a row for each, whole. One thread at a time; every method may wait for the disk."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from appliance.core.batches import BATCH_ENDED, Batch, BatchId
from appliance.core.notify import Delivery
from appliance.database import open_database, read_json, storage_errors, transaction
from appliance.jobs.notify.outbox import put

_SAVE = """
INSERT INTO batches (id, owner, state, batch) VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, batch = excluded.batch
"""
_ENDED = ", ".join(f"'{state}'" for state in sorted(BATCH_ENDED))


class BatchTable:
    """Owns the table `batches`. Every method raises: StorageError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = open_database(path)

    def save(self, batch: Batch, deliveries: Iterable[Delivery] = ()) -> None:
        """Write a batch in place of what it was, and who is to be told; both are on the disk when this returns."""
        with storage_errors(self._path), transaction(self._connection):
            self._connection.execute(_SAVE, (batch.id, batch.owner, batch.state, msgspec.json.encode(batch).decode()))
            put(self._connection, deliveries)

    def get(self, batch_id: str) -> Batch | None:
        """Return one batch, None when there is none of that id."""
        return next(iter(self._read("id = ?", batch_id)), None)

    def page(self, owner: str, after: str | None, limit: int) -> list[Batch]:
        """Return the batches of an owner, the newest first, behind the one of id `after`."""
        behind = "(? IS NULL OR number < (SELECT number FROM batches WHERE id = ?))"
        return self._read(f"{behind} AND owner = ? ORDER BY number DESC LIMIT ?", after, after, owner, limit)

    def unfinished(self) -> list[Batch]:
        """Return the batches that have not ended, the oldest first."""
        return self._read(f"state NOT IN ({_ENDED}) ORDER BY number")

    def ended_ids(self) -> set[BatchId]:
        """Return the ids of those that have ended."""
        with storage_errors(self._path):
            rows = self._connection.execute(f"SELECT id FROM batches WHERE state IN ({_ENDED})")  # noqa: S608
            return {BatchId(row[0]) for row in rows}

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def _read(self, condition: str, *values: str | int | None) -> list[Batch]:
        query = f"SELECT batch FROM batches WHERE {condition}"  # noqa: S608  (conditions of our own)
        return read_json(self._connection, self._path, query, values, Batch)
