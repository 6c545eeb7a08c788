"""What is known of files, a row for each. One thread at a time; every method may wait for the disk."""

from pathlib import Path

import msgspec

from appliance.core.files import FileId, UserFile
from appliance.database import JsonTable, storage_errors


class FileTable(JsonTable[UserFile]):
    """Owns the table `files`. Every method raises: StorageError."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "files", "file", UserFile)

    def add(self, file: UserFile) -> None:
        """Write a file down; one of the same id stays as it is."""
        with storage_errors(self._path):
            self._connection.execute(
                "INSERT INTO files (id, owner, expires_s, file) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (file.id, file.owner, file.expires_s, msgspec.json.encode(file).decode()),
            )

    def get(self, owner: str, file_id: FileId) -> UserFile | None:
        """Return an owner's file, None when there is none of that id."""
        return next(iter(self._read("owner = ? AND id = ?", owner, file_id)), None)

    def of_owner(self, owner: str) -> list[UserFile]:
        """Return the files of an owner, the newest first."""
        return self._read("owner = ? ORDER BY number DESC", owner)

    def expired(self, now_s: float) -> list[UserFile]:
        """Return the files whose time is over."""
        return self._read("expires_s <= ?", now_s)

    def ids(self) -> set[str]:
        """Return the ids of all files."""
        with storage_errors(self._path):
            return {row[0] for row in self._connection.execute("SELECT id FROM files")}

    def delete(self, file_id: FileId) -> None:
        """Forget a file."""
        with storage_errors(self._path):
            self._connection.execute("DELETE FROM files WHERE id = ?", (file_id,))
