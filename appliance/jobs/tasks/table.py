"""The tasks on disk: a row for each, whole. One thread at a time; every method may wait for the disk."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from appliance.core.notify import Delivery
from appliance.core.tasks import TASK_ENDED, Task, TaskState
from appliance.database import JsonTable, listed, storage_errors, transaction
from appliance.jobs.notify.outbox import put

_SAVE = """
INSERT INTO tasks (id, owner, state, ended_s, task) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, ended_s = excluded.ended_s, task = excluded.task
"""
_ENDED = listed(TASK_ENDED)


class TaskTable(JsonTable[Task]):
    """Owns the table `tasks`. Every method raises: StorageError."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "tasks", "task", Task)
        # What was deleted is not to be found in the file's free pages
        self._connection.execute("PRAGMA secure_delete = ON")

    def save(self, task: Task, deliveries: Iterable[Delivery] = ()) -> None:
        """Write a task in place of what it was, and who is to be told; both are on the disk when this returns."""
        row = (task.id, task.owner, task.state, task.ended_s, msgspec.json.encode(task).decode())
        with storage_errors(self._path), transaction(self._connection):
            self._connection.execute(_SAVE, row)
            put(self._connection, deliveries)

    def get(self, owner: str, task_id: str) -> Task | None:
        """Return an owner's task, None when there is none of that id."""
        return next(iter(self._read("owner = ? AND id = ?", owner, task_id)), None)

    def page(self, owner: str, state: TaskState | None, after: str | None, limit: int) -> list[Task]:
        """Return the tasks of an owner, the newest first, behind the one of id `after`."""
        return self._read(
            "owner = ? AND (? IS NULL OR state = ?) AND (? IS NULL OR number < (SELECT number FROM tasks WHERE id = ?))"
            " ORDER BY number DESC LIMIT ?",
            *(owner, state, state, after, after, limit),
        )

    def unfinished(self) -> list[Task]:
        """Return the tasks that have not ended, the oldest first."""
        return self._read(f"state NOT IN ({_ENDED}) ORDER BY number")

    def forget(self, ended_before_s: float) -> None:
        """Delete the tasks that ended before this moment."""
        with storage_errors(self._path):
            self._connection.execute("DELETE FROM tasks WHERE ended_s < ?", (ended_before_s,))
