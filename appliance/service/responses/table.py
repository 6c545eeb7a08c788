"""Responses and conversations on disk, each with its items. Every method may wait for the disk; one thread at a time.

What belongs to another owner is not there. Nothing older than the settings allow is ever returned.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from appliance.database import open_database, storage_errors
from appliance.dialects.responses.items import Item
from appliance.errors import StorageError
from appliance.settings import ResponsesSettings

Kind = Literal["response", "conversation"]
Side = Literal["in", "out"]

_SAVE = """
INSERT INTO kept (id, owner, kind, status, previous_id, used_s, num_bytes, body, log, request)
VALUES (:id, :owner, :kind, :status, :previous_id, :used_s, :num_bytes, :body, :log, :request)
ON CONFLICT (id) DO UPDATE SET
    status = excluded.status, used_s = excluded.used_s, num_bytes = excluded.num_bytes,
    body = excluded.body, log = excluded.log, request = excluded.request
RETURNING number
"""
_ADD_ITEM = "INSERT INTO kept_items (holder, side, id, item) VALUES (?, ?, ?, ?)"
_CHAIN = """
WITH RECURSIVE chain (number, id, previous_id, depth) AS (
    SELECT number, id, previous_id, 0 FROM kept WHERE id = :id AND owner = :owner AND used_s >= :since_s
    UNION ALL
    SELECT kept.number, kept.id, kept.previous_id, depth + 1 FROM kept JOIN chain ON kept.id = chain.previous_id
    WHERE kept.owner = :owner AND kept.used_s >= :since_s
)
SELECT number, id, previous_id FROM chain ORDER BY depth DESC
"""
_FIND_ITEM = """
SELECT item FROM kept_items JOIN kept ON kept.number = holder
WHERE kept_items.id = ? AND owner = ? AND used_s >= ? ORDER BY kept_items.number DESC LIMIT 1
"""
_OVERFLOW = """
DELETE FROM kept WHERE number IN (
    SELECT number FROM (SELECT number, sum(num_bytes) OVER (ORDER BY used_s DESC, number DESC) AS total FROM kept)
    WHERE total > ?
)
"""
_KEPT_RATIO = 0.9
"""So much of what may be kept is left when it is too much: not every save is to look for what is oldest."""

_encode = msgspec.json.Encoder().encode


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One response or conversation as it is kept. `body` is its JSON without items; `log` its stream, compressed.

    `request` is what it takes to begin it again, as JSON, for as long as it has not ended.
    """

    id: str
    owner: str
    kind: Kind
    status: str
    body: bytes
    previous_id: str | None = None
    log: bytes | None = None
    request: bytes | None = None


class KeptTable:
    """Owns the tables `kept` and `kept_items`. Every method raises: StorageError."""

    def __init__(self, path: Path, settings: ResponsesSettings) -> None:
        self._path = path
        self._settings = settings
        self._connection = open_database(path)
        self._connection.execute("PRAGMA foreign_keys = ON")
        # What was deleted is not to be found in the file's free pages
        self._connection.execute("PRAGMA secure_delete = ON")

    def save(self, entry: Entry, inputs: Sequence[Item], outputs: Sequence[Item], now_s: float) -> None:
        """Write an entry in place of what it was, with all of its items."""
        with self._transaction():
            items = [("in", item) for item in inputs] + [("out", item) for item in outputs]
            rows = [(side, item["id"], _encode(item).decode()) for side, item in items]
            texts_bytes = len(entry.body) + len(entry.request or b"") + sum(len(row[2]) for row in rows)
            values = msgspec.structs.asdict(entry) | {
                "body": entry.body.decode(),
                "request": None if entry.request is None else entry.request.decode(),
                "used_s": now_s,
                "num_bytes": texts_bytes + len(entry.log or b""),
            }
            number = self._connection.execute(_SAVE, values).fetchone()[0]
            self._connection.execute("DELETE FROM kept_items WHERE holder = ?", (number,))
            self._connection.executemany(_ADD_ITEM, [(number, *row) for row in rows])
            if entry.previous_id is not None:
                self._touch(self._chain(entry.owner, entry.previous_id, now_s), now_s)
            self._sweep(now_s)

    def append(self, owner: str, conversation_id: str, items: Sequence[Item], now_s: float) -> bool:
        """Add to a conversation; return whether it is there."""
        with self._transaction():
            number = self._number(owner, "conversation", conversation_id, now_s)
            if number is None:
                return False
            rows = [(number, "in", item["id"], _encode(item).decode()) for item in items]
            self._connection.executemany(_ADD_ITEM, rows)
            more_bytes = sum(len(row[3]) for row in rows)
            self._connection.execute(
                "UPDATE kept SET num_bytes = num_bytes + ?, used_s = ? WHERE number = ?", (more_bytes, now_s, number)
            )
            self._sweep(now_s)
            return True

    def body(self, owner: str, kind: Kind, id: str, now_s: float) -> bytes | None:
        """Return what is kept, without its items; None when it is not there."""
        return self._column("body", owner, kind, id, now_s)

    def log(self, owner: str, kind: Kind, id: str, now_s: float) -> bytes | None:
        """Return the stream of a response, compressed; None when it has none."""
        return self._column("log", owner, kind, id, now_s)

    def change(self, owner: str, kind: Kind, id: str, body: bytes, now_s: float) -> None:
        """Write another body."""
        with self._transaction():
            self._connection.execute(
                "UPDATE kept SET body = ?, used_s = ? WHERE id = ? AND owner = ? AND kind = ?",
                (body.decode(), now_s, id, owner, kind),
            )

    def items(self, owner: str, kind: Kind, id: str, side: Side, now_s: float) -> list[Item] | None:
        """Return the items of one side, the oldest first; None when there is no such entry."""
        with storage_errors(self._path):
            number = self._number(owner, kind, id, now_s)
            return None if number is None else self._items([number], (side,))

    def chain(self, owner: str, response_id: str, now_s: float) -> list[Item] | str:
        """Return all that was said up to a response, or the id of the response in the chain that is not there."""
        with storage_errors(self._path):
            chain = self._chain(owner, response_id, now_s)
            missing = response_id if not chain else chain[0][2]
            if missing is not None:
                return missing
            return self._items([number for number, _, _ in chain], ("in", "out"))

    def find_item(self, owner: str, item_id: str, now_s: float) -> Item | None:
        """Return the newest item of that id, wherever it is kept."""
        with storage_errors(self._path):
            row = self._connection.execute(_FIND_ITEM, (item_id, owner, self._since(now_s))).fetchone()
            return None if row is None else self._decoded(row[0])

    def delete(self, owner: str, kind: Kind, id: str) -> bool:
        """Delete an entry with all of its items; return whether it was there."""
        return self._delete("DELETE FROM kept WHERE id = ? AND owner = ? AND kind = ?", (id, owner, kind))

    def delete_item(self, owner: str, conversation_id: str, item_id: str, now_s: float) -> bool:
        """Delete an item of a conversation; return whether it was there."""
        number = self._number(owner, "conversation", conversation_id, now_s)
        if number is None:
            return False
        return self._delete("DELETE FROM kept_items WHERE holder = ? AND id = ?", (number, item_id))

    def unfinished(self) -> list[tuple[str, bytes, bytes | None]]:
        """Return owner, body and request of the responses that the last daemon did not end, the oldest first."""
        with storage_errors(self._path):
            rows = self._connection.execute(
                "SELECT owner, body, request FROM kept WHERE status IN ('queued', 'in_progress') ORDER BY number"
            ).fetchall()
        return [(owner, body.encode(), None if request is None else request.encode()) for owner, body, request in rows]

    def sweep(self, now_s: float) -> None:
        """Delete what nobody used for long, and of the rest the longest unused while it is too much."""
        with self._transaction():
            self._sweep(now_s)

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def _sweep(self, now_s: float) -> None:
        self._connection.execute("DELETE FROM kept WHERE used_s < ?", (self._since(now_s),))
        [total_bytes] = self._connection.execute("SELECT total(num_bytes) FROM kept").fetchone()
        if total_bytes > self._settings.max_bytes:
            self._connection.execute(_OVERFLOW, (self._settings.max_bytes * _KEPT_RATIO,))

    def _touch(self, chain: Iterable[tuple[int, str, str | None]], now_s: float) -> None:
        """Let what is still continued live as long as its newest part."""
        numbers = [(now_s, number) for number, _, _ in chain]
        self._connection.executemany("UPDATE kept SET used_s = ? WHERE number = ?", numbers)

    def _chain(self, owner: str, response_id: str, now_s: float) -> list[tuple[int, str, str | None]]:
        values = {"id": response_id, "owner": owner, "since_s": self._since(now_s)}
        return self._connection.execute(_CHAIN, values).fetchall()

    def _items(self, holders: Sequence[int], sides: Sequence[Side]) -> list[Item]:
        marks = ", ".join("?" * len(sides))
        query = f"SELECT item FROM kept_items WHERE holder = ? AND side IN ({marks}) ORDER BY number"  # noqa: S608  (only marks)
        found = [row for holder in holders for row in self._connection.execute(query, (holder, *sides))]
        return [self._decoded(row[0]) for row in found]

    def _number(self, owner: str, kind: Kind, id: str, now_s: float) -> int | None:
        row = self._connection.execute(
            "SELECT number FROM kept WHERE id = ? AND owner = ? AND kind = ? AND used_s >= ?",
            (id, owner, kind, self._since(now_s)),
        ).fetchone()
        return None if row is None else row[0]

    def _column(self, column: str, owner: str, kind: Kind, id: str, now_s: float) -> bytes | None:
        query = f"SELECT {column} FROM kept WHERE id = ? AND owner = ? AND kind = ? AND used_s >= ?"  # noqa: S608  (our own word)
        with storage_errors(self._path):
            row = self._connection.execute(query, (id, owner, kind, self._since(now_s))).fetchone()
        value = None if row is None else row[0]
        return value.encode() if isinstance(value, str) else value

    def _delete(self, statement: str, values: tuple[str | int, ...]) -> bool:
        with self._transaction():
            was_there = self._connection.execute(statement, values).rowcount > 0
        with storage_errors(self._path):
            # The pages as they were stand in the log until it is written back
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return was_there

    def _since(self, now_s: float) -> float:
        return now_s - self._settings.keep_s

    def _decoded(self, text: str) -> Item:
        try:
            item: Item = msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise StorageError(f"{self._path} holds an item that cannot be read: {error}") from error
        return item

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with storage_errors(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except sqlite3.Error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
