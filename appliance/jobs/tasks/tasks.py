"""The tasks of all callers: accepted onto the disk, asked in their turn, tried again, kept and told about."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Callable

import msgspec

from appliance.core.caller import Caller
from appliance.core.notify import Target
from appliance.core.request import GenerateRequest, RequestId
from appliance.core.tasks import Task, TaskId, TaskState
from appliance.errors import ApplianceError, Draining, TaskNotFound
from appliance.jobs.followers import Followers
from appliance.jobs.notify.notifications import Notifications
from appliance.service.generate import Generation
from appliance.service.table_thread import TableThread

from . import states
from .inference import answer
from .table import TaskTable

MAX_AT_ONCE = 32
"""So many are with the scheduler at a time, which orders them among all other requests; the others wait here."""
STORAGE_PAUSE_S = 10.0
"""A disk that is full, or that another program holds, is tried again after so long."""

logger = logging.getLogger(__name__)


class Tasks:
    """Owns the tasks. Every method runs on the event loop; what belongs to another owner is not found."""

    def __init__(
        self,
        open_table: Callable[[], TaskTable],
        generation: Generation,
        notifications: Notifications,
        keep_s: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        """A task is kept for `keep_s` after its end."""
        self._storage = TableThread("tasks", open_table)
        self._generation = generation
        self._notifications = notifications
        self._keep_s = keep_s
        self._now = now
        self._waiting: dict[TaskId, Task] = {}
        self._running: dict[TaskId, asyncio.Task[None]] = {}
        self._followers = Followers("task")
        self._timer: asyncio.TimerHandle | None = None
        self._is_closing = False

    async def start(self) -> None:
        """Open the table, forget what is too old, and go on with what the last daemon left."""
        await self._storage.open()
        if not self._storage.is_usable:
            return
        try:
            await self._storage.do(lambda table: table.forget(self._now() - self._keep_s))
            for task in await self._storage.do(lambda table: table.unfinished()):
                self._waiting[task.id] = states.recover(task)
        except ApplianceError as error:
            logger.error("tasks cannot go on: %s", error.message)
        self._begin_due()

    async def close(self) -> None:
        """Leave what runs to the next daemon, and close the table."""
        self._is_closing = True
        if self._timer is not None:
            self._timer.cancel()
        running = list(self._running.values())
        for each in running:
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._followers.close()
        await self._storage.close()

    async def submit(
        self, owner: str, request: GenerateRequest, caller: Caller, notify: tuple[Target, ...] = ()
    ) -> Task:
        """Return the new task, which is on the disk. Raises: InvalidRequest, Draining, StorageError."""
        self._notifications.check(notify)
        if self._is_closing:
            raise Draining("the daemon is stopping; try again when it is back")
        task_id = TaskId(f"task-{uuid.uuid4().hex}")
        task = Task(id=task_id, owner=owner, caller=caller, request=request, created_s=self._now(), notify=notify)
        await self._storage.do(lambda table: table.save(task))
        self._waiting[task.id] = task
        self._begin_due()
        return self._waiting.get(task.id, task)

    async def get(self, owner: str, task_id: str) -> Task:
        """Return a task as it is now. Raises: TaskNotFound, StorageError."""
        task = await self._storage.do(lambda table: table.get(owner, task_id))
        if task is None or (task.ended_s is not None and task.ended_s < self._now() - self._keep_s):
            raise TaskNotFound(f"there is no task {task_id!r}", param="task_id")
        return task

    async def page(self, owner: str, state: TaskState | None, after: str | None, limit: int) -> list[Task]:
        """Return an owner's tasks, the newest first. Raises: TaskNotFound, StorageError."""
        if after is not None:
            await self.get(owner, after)
        return await self._storage.do(lambda table: table.page(owner, state, after, limit))

    async def cancel(self, owner: str, task_id: str) -> Task:
        """Give a task up. Raises: TaskNotFound, Conflict, StorageError."""
        task = states.cancel(await self.get(owner, task_id), self._now())
        self._waiting.pop(task.id, None)
        if running := self._running.get(task.id):
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            # It may have come to its end before it could be stopped
            task = states.cancel(await self.get(owner, task_id), self._now())
        await self._save(task)
        return task

    async def retry(self, owner: str, task_id: str) -> Task:
        """Try a task again that has failed. Raises: TaskNotFound, Conflict, StorageError."""
        task = states.retry(await self.get(owner, task_id))
        await self._save(task)
        self._waiting[task.id] = task
        self._begin_due()
        return task

    def follow(self, owner: str, task_id: str) -> AsyncGenerator[Task, None]:
        """Yield the task now and whenever it changed, until it has ended. Raises: TaskNotFound, Draining."""
        return self._followers.follow(task_id, lambda: self.get(owner, task_id))

    def _begin_due(self) -> None:
        """Begin with the tasks whose time has come, the oldest first, as long as there is room."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now_s = self._now()
        due = [task for task in self._waiting.values() if task.next_try_s <= now_s]
        for task in due[: max(0, MAX_AT_ONCE - len(self._running))]:
            del self._waiting[task.id]
            self._running[task.id] = asyncio.create_task(self._work(task))
        later = [task.next_try_s for task in self._waiting.values() if task.next_try_s > now_s]
        if later and not self._is_closing:
            delay_s = max(0.0, min(later) - now_s)
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._begin_due)

    async def _work(self, task: Task) -> None:
        """Be the asyncio task of one try. Cancelled, it leaves the task on the disk as one that runs."""
        try:
            running = states.begin(task, self._now())
            await self._save(running)
            ended = await self._tried(running)
            await self._save(ended)
            if ended.state == "queued":
                self._waiting[task.id] = ended
        except ApplianceError as error:
            logger.error("task %s is asked again once it can be written down: %s", task.id, error.message)
            self._waiting[task.id] = msgspec.structs.replace(task, next_try_s=self._now() + STORAGE_PAUSE_S)
        finally:
            del self._running[task.id]
            if not self._is_closing:
                self._begin_due()

    async def _tried(self, task: Task) -> Task:
        request = msgspec.structs.replace(task.request, id=RequestId(f"{task.id}-{task.num_tries}"))
        try:
            return states.finish(task, await answer(self._generation, request, task.caller), self._now())
        except ApplianceError as error:
            failed = states.after_failure(task, error, self._now())
            logger.info("task %s is %s: %s", task.id, failed.state, error.message)
            return failed

    async def _save(self, task: Task) -> None:
        deliveries = self._notifications.of_task(task)
        await self._storage.do(lambda table: table.save(task, deliveries))
        self._followers.wake(task.id)
        if deliveries:
            self._notifications.wake()
