"""The feedback of all callers: kept, listed for its caller, and exported whole."""

from pathlib import Path

import msgspec

from appliance.core.feedback import Feedback, FeedbackExport
from appliance.database import open_database, storage_errors
from appliance.errors import StorageError

from .table_thread import TableThread

MAX_PER_CALLER = 100_000
"""So many a caller may leave: whoever sends more by mistake shall not fill the disk."""
PAGE = 500

_SAVE = """
INSERT INTO feedback (owner, response_id, feedback) VALUES (?, ?, ?)
ON CONFLICT (owner, response_id) DO UPDATE SET feedback = excluded.feedback
"""
_PRUNE = """
DELETE FROM feedback WHERE owner = ?1 AND number <= (
    SELECT number FROM feedback WHERE owner = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2
)
"""


class FeedbackTable:
    """Owns the table `feedback`. Every method raises: StorageError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = open_database(path)

    def save(self, feedback: Feedback) -> None:
        """Write feedback in place of what the same caller said of the same answer; it is on the disk afterwards."""
        row = (feedback.owner, feedback.response_id, msgspec.json.encode(feedback).decode())
        with storage_errors(self._path):
            self._connection.execute(_SAVE, row)
            self._connection.execute(_PRUNE, (feedback.owner, MAX_PER_CALLER))

    def page(self, owner: str, after: str | None, limit: int) -> list[Feedback]:
        """Return an owner's feedback, the newest first, behind that on the answer `after`."""
        behind = "SELECT number FROM feedback WHERE owner = ? AND response_id = ?"
        found = self._read(
            f"owner = ? AND (? IS NULL OR number < ({behind})) ORDER BY number DESC LIMIT ?",
            *(owner, after, owner, after, limit),
        )
        return [feedback for _, feedback in found]

    def behind(self, number: int, limit: int) -> list[tuple[int, Feedback]]:
        """Return everybody's feedback behind this number, the oldest first, each with its own."""
        return self._read("number > ? ORDER BY number LIMIT ?", number, limit)

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def _read(self, condition: str, *values: str | int | None) -> list[tuple[int, Feedback]]:
        with storage_errors(self._path):
            rows = self._connection.execute(
                f"SELECT number, feedback FROM feedback WHERE {condition}",  # noqa: S608  (conditions of our own)
                values,
            ).fetchall()
        try:
            return [(row[0], msgspec.json.decode(row[1], type=Feedback)) for row in rows]
        except msgspec.DecodeError as error:
            raise StorageError(f"{self._path} holds feedback that cannot be read: {error}") from error


class FeedbackBook:
    """Owns the feedback. Every method runs on the event loop and raises: StorageError."""

    def __init__(self, path: Path) -> None:
        self._storage = TableThread("pieces of feedback", lambda: FeedbackTable(path))

    async def open(self) -> None:
        """Open the table."""
        await self._storage.open()

    async def close(self) -> None:
        """Close the table."""
        await self._storage.close()

    async def keep(self, feedback: Feedback) -> None:
        """Keep feedback in place of what the same caller said of the same answer."""
        await self._storage.do(lambda table: table.save(feedback))

    async def page(self, owner: str, after: str | None, limit: int) -> list[Feedback]:
        """Return an owner's feedback, the newest first."""
        return await self._storage.do(lambda table: table.page(owner, after, limit))

    async def export(self, after: int) -> FeedbackExport:
        """Return a part of everybody's feedback: that which lies behind the number `after`."""
        found = await self._storage.do(lambda table: table.behind(after, PAGE))
        last = found[-1][0] if len(found) == PAGE else None
        return FeedbackExport(feedback=tuple(feedback for _, feedback in found), next=last)
