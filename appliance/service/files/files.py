"""The files of all callers: taken in as they come, given out, listed, deleted, and gone when their time is over."""

import asyncio
import logging
import os
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from appliance.core.files import FileId, FileTerms, UserFile
from appliance.database import DATABASE_FILE
from appliance.errors import FileNotFound, InvalidRequest, StorageError
from appliance.service.table_thread import TableThread
from models.files import sync_folder

from .table import FileTable

MIN_FREE_BYTES = 2**30
"""What a file leaves free on its disk: the state of the daemon lies there, too."""
MAX_FILE_BYTES = 512 * 2**20
"""How long one file may be. Source: OpenAI's API reference, "Upload file"."""
_PARTIAL = ".partial"

logger = logging.getLogger(__name__)


class Files:
    """Owns `files/` of a home. Every method runs on the event loop; what belongs to another owner is not found."""

    def __init__(self, home: Path, max_bytes: int, now: Callable[[], float] = time.time) -> None:
        """`max_bytes` is how long one file may be."""
        self._folder = home / "files"
        self._max_bytes = max_bytes
        self._now = now
        self._storage = TableThread("files", lambda: FileTable(home / DATABASE_FILE))

    async def start(self) -> None:
        """Open the table, and delete what was not finished or has expired."""
        await self._storage.open()
        if self._storage.is_usable:
            await self._sweep()

    async def close(self) -> None:
        """Close the table."""
        await self._storage.close()

    def path_of(self, file_id: FileId) -> Path:
        """Return where a file's content lies."""
        return self._folder / file_id

    async def take(self, owner: str, chunks: AsyncIterator[bytes], terms: Callable[[], FileTerms]) -> UserFile:
        """Write down what comes, and return the file once it is on the disk; `terms` are asked for after the chunks.

        Raises: InvalidRequest, StorageError.
        """
        if not self._storage.is_usable:
            raise self._storage.fault
        file_id = new_file_id()
        partial = self._folder / f"{file_id}{_PARTIAL}"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            size_bytes = await self._write(partial, chunks)
            said, now_s = terms(), self._now()
            file = UserFile(
                id=file_id,
                owner=owner,
                purpose=said.purpose,
                filename=said.filename,
                size_bytes=size_bytes,
                created_s=now_s,
                expires_s=None if said.keep_s is None else now_s + said.keep_s,
            )
            partial.replace(self.path_of(file.id))
            sync_folder(self._folder)
        except OSError as error:
            raise StorageError(f"the file could not be written to {self._folder}: {error.strerror}") from error
        finally:
            partial.unlink(missing_ok=True)
        await self._storage.do(lambda table: table.add(file))
        return file

    async def adopt(self, path: Path, file: UserFile) -> None:
        """Make a file of one that the daemon's own work has written, which stays; done again, it changes nothing.

        Raises: StorageError.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path_of(file.id).unlink(missing_ok=True)
            os.link(path, self.path_of(file.id))
            sync_folder(self._folder)
        except OSError as error:
            raise StorageError(f"{path} could not be kept: {error.strerror}") from error
        await self._storage.do(lambda table: table.add(file))

    async def get(self, owner: str, file_id: str) -> UserFile:
        """Return a file. Raises: FileNotFound, StorageError."""
        file = await self._storage.do(lambda table: table.get(owner, FileId(file_id)))
        if file is None or file.has_expired(self._now()):
            raise FileNotFound(f"there is no file {file_id!r}", param="file_id")
        return file

    async def list(self, owner: str) -> list[UserFile]:
        """Return an owner's files, the newest first. Raises: StorageError."""
        files = await self._storage.do(lambda table: table.of_owner(owner))
        return [file for file in files if not file.has_expired(self._now())]

    async def delete(self, owner: str, file_id: str) -> UserFile:
        """Delete a file and return what it was. Raises: FileNotFound, StorageError."""
        file = await self.get(owner, file_id)
        await self._drop(file)
        return file

    async def _write(self, partial: Path, chunks: AsyncIterator[bytes]) -> int:
        size_bytes = 0
        with partial.open("xb") as stream:
            async for chunk in chunks:
                size_bytes += len(chunk)
                if size_bytes > self._max_bytes:
                    raise InvalidRequest(f"the file is longer than {self._max_bytes} bytes", param="file")
                if shutil.disk_usage(self._folder).free < MIN_FREE_BYTES:
                    raise StorageError("the disk is almost full, and files leave 1 GiB of it free; free some")
                stream.write(chunk)
            stream.flush()
            await asyncio.to_thread(os.fsync, stream.fileno())
        return size_bytes

    async def _drop(self, file: UserFile) -> None:
        # The row first: a content without a row is swept at the next start
        await self._storage.do(lambda table: table.delete(file.id))
        self.path_of(file.id).unlink(missing_ok=True)

    async def _sweep(self) -> None:
        try:
            for file in await self._storage.do(lambda table: table.expired(self._now())):
                await self._drop(file)
            known = await self._storage.do(lambda table: table.ids())
        except StorageError as error:
            logger.error("files could not be looked through: %s", error)
            return
        for path in self._folder.glob("file-*") if self._folder.is_dir() else ():
            if path.name not in known:
                path.unlink()


def new_file_id() -> FileId:
    """Return an id that no other file has."""
    return FileId(f"file-{uuid.uuid4().hex}")
