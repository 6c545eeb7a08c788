"""A table of the database from the event loop: one thread does the waiting, and a table that is broken says so."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Protocol, TypeVar

from appliance.errors import StorageError


class Closable(Protocol):
    """A table."""

    def close(self) -> None:
        """Close the database."""


Table = TypeVar("Table", bound=Closable)
T = TypeVar("T")

logger = logging.getLogger(__name__)


class TableThread(Generic[Table]):
    """Owns one table. A table that cannot be used costs what needs it, not the daemon: each call says why."""

    def __init__(self, what: str, open_table: Callable[[], Table]) -> None:
        """`what` is the plural noun of what the table keeps."""
        self._what = what
        self._open_table = open_table
        self._table: Table | None = None
        self._cause = "the daemon is stopping"
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=what)

    @property
    def is_usable(self) -> bool:
        """Whether anything can be kept."""
        return self._table is not None

    @property
    def fault(self) -> StorageError:
        """Why there are none."""
        return StorageError(f"there are no {self._what} now: {self._cause}")

    async def open(self) -> None:
        """Open the table."""
        try:
            self._table = await self._run(self._open_table)
        except StorageError as error:
            self._cause = error.message
            logger.error("there are no %s: %s", self._what, error)

    async def do(self, action: Callable[[Table], T]) -> T:
        """Return what `action` does with the table, on its thread. Raises: StorageError."""
        table = self._table
        if table is None:
            raise self.fault
        return await self._run(lambda: action(table))

    async def close(self) -> None:
        """Close the table."""
        if self._table is not None:
            table, self._table = self._table, None
            await self._run(table.close)
        self._thread.shutdown()

    async def _run(self, action: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, action)
