"""The batches on disk: a row for each, whole. One thread at a time; every method may wait for the disk."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from appliance.core.batches import BATCH_ENDED, Batch
from appliance.core.notify import Delivery
from appliance.database import JsonTable, listed, storage_errors, transaction
from appliance.jobs.notify.outbox import put

_SAVE = """
INSERT INTO batches (id, owner, state, batch) VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, batch = excluded.batch
"""
_ENDED = listed(BATCH_ENDED)


class BatchTable(JsonTable[Batch]):
    """Owns the table `batches`. Every method raises: StorageError."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "batches", "batch", Batch)

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
