"""The notifications on disk: a row for each, whole. One thread at a time; every method may wait for the disk.

A row comes in through the connection and in the transaction that ends the work it tells of (`put`): there is no moment
at which one of both is on the disk.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

import msgspec

from appliance.core.notify import Delivery
from appliance.database import JsonTable, storage_errors

_SAVE = """
INSERT INTO deliveries (id, subject, state, next_try_s, ended_s, delivery) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    state = excluded.state, next_try_s = excluded.next_try_s, ended_s = excluded.ended_s, delivery = excluded.delivery
"""


def put(connection: sqlite3.Connection, deliveries: Iterable[Delivery]) -> None:
    """Write notifications in place of what they were, in the caller's transaction."""
    connection.executemany(
        _SAVE,
        [
            (each.id, each.subject, each.state, each.next_try_s, each.ended_s, msgspec.json.encode(each).decode())
            for each in deliveries
        ],
    )


class Outbox(JsonTable[Delivery]):
    """Owns the table `deliveries`. Every method raises: StorageError."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "deliveries", "delivery", Delivery)
        # What was deleted is not to be found in the file's free pages
        self._connection.execute("PRAGMA secure_delete = ON")

    def save(self, delivery: Delivery) -> None:
        """Write a notification in place of what it was; it is on the disk when this returns."""
        with storage_errors(self._path):
            put(self._connection, [delivery])

    def due(self, now_s: float, limit: int) -> list[Delivery]:
        """Return those that are to be tried now, the one that waits longest first."""
        return self._read("state = 'pending' AND next_try_s <= ? ORDER BY next_try_s, number LIMIT ?", now_s, limit)

    def next_try_s(self, now_s: float) -> float | None:
        """Return when the next one is due that is not due yet, None without any."""
        with storage_errors(self._path):
            row = self._connection.execute(
                "SELECT min(next_try_s) FROM deliveries WHERE state = 'pending' AND next_try_s > ?", (now_s,)
            ).fetchone()
        return None if row[0] is None else float(row[0])

    def about(self, subject: str) -> list[Delivery]:
        """Return all that was to be told of one piece of work, the oldest first."""
        return self._read("subject = ? ORDER BY number", subject)

    def forget(self, ended_before_s: float) -> None:
        """Delete those that ended before this moment."""
        with storage_errors(self._path):
            self._connection.execute("DELETE FROM deliveries WHERE ended_s < ?", (ended_before_s,))
