"""The table of responses and conversations from the event loop: one thread does the waiting."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from appliance.errors import StorageError
from appliance.settings import ResponsesSettings

from .table import KeptTable

T = TypeVar("T")

logger = logging.getLogger(__name__)


class ResponseStorage:
    """Owns the table. A table that cannot be used costs what needs it, not the answers: each call says why."""

    def __init__(self, path: Path, settings: ResponsesSettings) -> None:
        self._path = path
        self._settings = settings
        self._table: KeptTable | None = None
        self._fault: StorageError | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="responses")

    @property
    def is_usable(self) -> bool:
        """Whether anything can be kept."""
        return self._table is not None

    @property
    def fault(self) -> StorageError:
        """Why nothing can be kept."""
        why = self._fault.message if self._fault else "the daemon is stopping"
        return StorageError(f"no responses are kept now: {why}")

    async def open(self) -> None:
        """Open the table."""
        try:
            self._table = await self._run(lambda: KeptTable(self._path, self._settings))
        except StorageError as error:
            logger.error("no responses are kept: %s", error)
            self._fault = error

    async def do(self, action: Callable[[KeptTable], T]) -> T:
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
