"""The database `state.db`: opened, checked and brought to this version's form. Knows its tables' form, no meaning.

Whoever keeps a table here adds a script to MIGRATIONS and never changes one that was released.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from .errors import StorageError

T = TypeVar("T")
Value = str | float | bytes | None
"""What stands for a `?` of a query."""

DATABASE_FILE = Path("state.db")
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE jobs (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL,
        job TEXT NOT NULL
    ) STRICT;
    CREATE INDEX jobs_by_state ON jobs (state);
    """,
    """
    CREATE TABLE kept (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        kind TEXT NOT NULL,
        status TEXT NOT NULL,
        previous_id TEXT,
        used_s REAL NOT NULL,
        num_bytes INTEGER NOT NULL,
        body TEXT NOT NULL,
        log BLOB
    ) STRICT;
    CREATE INDEX kept_by_use ON kept (used_s, num_bytes);
    CREATE INDEX kept_by_status ON kept (status);
    CREATE TABLE kept_items (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        holder INTEGER NOT NULL REFERENCES kept (number) ON DELETE CASCADE,
        side TEXT NOT NULL,
        id TEXT NOT NULL,
        item TEXT NOT NULL
    ) STRICT;
    CREATE INDEX kept_items_by_holder ON kept_items (holder, side, number);
    CREATE INDEX kept_items_by_id ON kept_items (id);
    """,
    """
    CREATE TABLE files (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        expires_s REAL,
        file TEXT NOT NULL
    ) STRICT;
    CREATE INDEX files_by_owner ON files (owner, number);
    CREATE TABLE batches (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        state TEXT NOT NULL,
        batch TEXT NOT NULL
    ) STRICT;
    CREATE INDEX batches_by_owner ON batches (owner, number);
    CREATE INDEX batches_by_state ON batches (state);
    CREATE TABLE tasks (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        state TEXT NOT NULL,
        ended_s REAL,
        task TEXT NOT NULL
    ) STRICT;
    CREATE INDEX tasks_by_owner ON tasks (owner, number);
    CREATE INDEX tasks_by_end ON tasks (ended_s);
    """,
    """
    CREATE TABLE deliveries (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        subject TEXT NOT NULL,
        state TEXT NOT NULL,
        next_try_s REAL NOT NULL,
        ended_s REAL,
        delivery TEXT NOT NULL
    ) STRICT;
    CREATE INDEX deliveries_by_subject ON deliveries (subject, number);
    CREATE INDEX deliveries_by_state ON deliveries (state, next_try_s);
    CREATE INDEX deliveries_by_end ON deliveries (ended_s);
    CREATE TABLE feedback (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        owner TEXT NOT NULL,
        response_id TEXT NOT NULL,
        feedback TEXT NOT NULL,
        UNIQUE (owner, response_id)
    ) STRICT;
    """,
    """
    ALTER TABLE kept ADD COLUMN request TEXT;
    """,
)


def open_database(path: Path) -> sqlite3.Connection:
    """Return a connection in autocommit mode, which any one thread at a time may use.

    Raises: StorageError, and the file is as it was: when it is damaged or a newer version has written it.
    """
    with storage_errors(path):
        path.touch(mode=0o600)
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            _check(connection, path)
            _migrate(connection)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what goes wrong with the file into words that say what to do. Raises: StorageError."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StorageError(f"{path} cannot be used: {error}; is the disk full or read-only?") from error
    except sqlite3.DatabaseError as error:
        raise _damaged(path, str(error)) from error
    except OSError as error:
        raise StorageError(f"{path} cannot be used: {error.strerror}") from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Make all that is written meanwhile one change: all of it is on the disk at the end, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


class JsonTable(Generic[T]):
    """A table that holds a value as JSON in each row. One thread at a time; every method raises: StorageError."""

    def __init__(self, path: Path, table: str, column: str, kind: type[T]) -> None:
        """`column` of `table` holds values of that kind."""
        self._path = path
        self._kind = kind
        self._select = f"SELECT {column} FROM {table}"  # noqa: S608  (names of our own)
        self._connection = open_database(path)

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def _read(self, condition: str, *values: Value) -> list[T]:
        """Return the values of the rows that are meant. `condition` is what comes after `WHERE`, and our own."""
        with storage_errors(self._path):
            rows = self._connection.execute(f"{self._select} WHERE {condition}", values).fetchall()
        try:
            return [msgspec.json.decode(row[0], type=self._kind) for row in rows]
        except msgspec.DecodeError as error:
            message = f"{self._path} holds a {self._kind.__name__} that cannot be read: {error}"
            raise StorageError(message) from error


def listed(names: Iterable[str]) -> str:
    """Return names of our own as the inside of a list in SQL."""
    return ", ".join(f"'{name}'" for name in sorted(names))


def _check(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise StorageError(
            f"{path} was written by a newer version of the appliance (form {version}, this one knows up to "
            f"{len(MIGRATIONS)}); nothing was changed: install the newer version again, "
            "or move the file away to begin an empty one"
        )
    finding = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if finding != "ok":
        raise _damaged(path, finding)


def _migrate(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # In WAL mode anything less may lose what was acknowledged when the power fails
    connection.execute("PRAGMA synchronous = FULL")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;")


def _damaged(path: Path, finding: str) -> StorageError:
    return StorageError(
        f"{path} is damaged ({finding}); nothing was changed: put a copy in its place, "
        "or move the file away to begin an empty one"
    )
