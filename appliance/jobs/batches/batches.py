"""The batches of all callers: taken in, worked off by jobs, ended with their files, listed and cancelled."""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from appliance.core.batches import (
    BATCH_ENDED,
    Batch,
    BatchCounts,
    BatchFault,
    BatchId,
    BatchOrder,
    BatchOutcome,
    BatchState,
)
from appliance.core.events import JobProgressed, JobStateChanged, SystemEvent
from appliance.core.files import FileId, UserFile
from appliance.core.jobs import ENDED, Job, JobId, JobKind, JsonObject, Tell
from appliance.database import DATABASE_FILE
from appliance.errors import ApplianceError, BatchNotFound, Conflict, InvalidRequest, JobNotFound, StorageError
from appliance.jobs.folders import keep_folders
from appliance.jobs.notify.notifications import Notifications
from appliance.service.files.files import Files
from appliance.service.table_thread import TableThread

from .results import error_path, output_path
from .table import BatchTable

KIND = JobKind(
    name="batch",
    module="appliance.jobs.batches.batch_job",
    arguments=BatchOrder,
    is_resumable=True,
    lane="serving",
    shared_by=("batch",),
)
PURPOSE = "batch"

logger = logging.getLogger(__name__)


class JobCare(Protocol):
    """What batches need of the jobs."""

    async def submit(self, kind: str, arguments: JsonObject | msgspec.Struct, caller: str) -> Job:
        """Take in a job, or return the one that does the same."""

    async def get(self, job_id: JobId) -> Job:
        """Return a job. Raises: JobNotFound."""

    async def cancel(self, job_id: JobId) -> Job:
        """Give a job up."""


class Batches:
    """Owns the batches. Every method runs on the event loop; what belongs to another owner is not found."""

    def __init__(
        self, home: Path, files: Files, notifications: Notifications, now: Callable[[], float] = time.time
    ) -> None:
        self._folder = home / "files" / "batches"
        self._files = files
        self._notifications = notifications
        self._now = now
        self._storage = TableThread("batches", lambda: BatchTable(home / DATABASE_FILE))
        self._jobs: JobCare | None = None
        self._counts: dict[str, BatchCounts] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Open the table, before the jobs start and tell what became of them."""
        await self._storage.open()

    async def start(self, jobs: JobCare) -> None:
        """Take up what the last daemon left. The jobs have started."""
        self._jobs = jobs
        if not self._storage.is_usable:
            return
        try:
            unfinished = await self._storage.do(lambda table: table.unfinished())
        except StorageError as error:
            logger.error("batches cannot go on: %s", error.message)
            return
        await asyncio.to_thread(keep_folders, self._folder, {batch.id for batch in unfinished})
        for batch in unfinished:
            await self._take_up(batch)

    async def close(self) -> None:
        """Close the table."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._storage.close()

    async def create(self, batch: Batch) -> Batch:
        """Take a batch in; it is on the disk when this returns. Raises: FileNotFound, InvalidRequest, StorageError."""
        file = await self._files.get(batch.owner, batch.input_file_id)
        if file.purpose != PURPOSE:
            message = f"the file {file.id} has the purpose {file.purpose!r}; a batch needs one with the purpose 'batch'"
            raise InvalidRequest(message, param="input_file_id")
        self._notifications.check(batch.notify)
        await self._save(batch)
        return await self._submit(batch)

    async def get(self, owner: str, batch_id: str) -> Batch:
        """Return a batch as it is now. Raises: BatchNotFound, StorageError."""
        batch = await self._storage.do(lambda table: table.get(batch_id))
        if batch is None or batch.owner != owner:
            raise BatchNotFound(f"there is no batch {batch_id!r}", param="batch_id")
        return self._as_it_is(batch)

    async def page(self, owner: str, after: str | None, limit: int) -> list[Batch]:
        """Return an owner's batches, the newest first. Raises: BatchNotFound, StorageError."""
        if after is not None:
            await self.get(owner, after)
        found = await self._storage.do(lambda table: table.page(owner, after, limit))
        return [self._as_it_is(batch) for batch in found]

    async def cancel(self, owner: str, batch_id: str) -> Batch:
        """Stop a batch; what is answered already is kept. Raises: BatchNotFound, Conflict, StorageError."""
        batch = await self.get(owner, batch_id)
        if batch.state in BATCH_ENDED:
            raise Conflict(f"batch {batch_id} is {batch.state} and cannot be cancelled")
        if batch.state != "cancelling":
            batch = replace(batch, state="cancelling", cancelling_s=self._now())
            await self._save(batch)
            self._begin(self._cancel_job(batch))
        return batch

    async def finish(self, job: Job, result: JsonObject, tell: Tell) -> JsonObject:
        """Make files of what the job wrote: the end of a batch that was worked off. Done again, it changes nothing."""
        outcome = msgspec.convert(result, BatchOutcome)
        batch = await self._of_job(job)
        if batch is None or batch.state in BATCH_ENDED:
            return result
        state: BatchState = "failed" if outcome.faults else "expired" if outcome.is_expired else "completed"
        if state == "completed" and batch.state == "cancelling":
            state = "cancelled"
        await self._end(replace(batch, faults=outcome.faults, counts=outcome.counts), state)
        return {"batch": batch.id, "note": _note(batch.id, state, outcome)}

    def observe(self, event: SystemEvent) -> None:
        """Follow the jobs of batches."""
        if isinstance(event, JobProgressed) and event.kind == KIND.name and event.total is not None:
            self._counts[event.id] = BatchCounts(
                total=int(event.total), completed=int(event.done) - event.num_failed, failed=event.num_failed
            )
        elif isinstance(event, JobStateChanged) and event.kind == KIND.name and self._jobs is not None:
            self._begin(self._follow(JobId(event.id)))

    async def _take_up(self, batch: Batch) -> None:
        """Go on with a batch that the last daemon left: its job may be there, have ended, or never have begun."""
        try:
            if batch.job_id is None:
                await self._submit(batch)
            elif (await self._job(batch.job_id)).state in (*ENDED, "running"):
                await self._follow(JobId(batch.job_id))
            elif batch.state == "cancelling":
                self._begin(self._cancel_job(batch))
        except ApplianceError as error:
            logger.error("batch %s cannot go on: %s", batch.id, error.message)

    async def _submit(self, batch: Batch) -> Batch:
        assert self._jobs is not None, "start comes first"
        order = BatchOrder(
            batch=batch.id,
            caller=batch.owner,
            endpoint=batch.endpoint,
            input_path=str(self._files.path_of(batch.input_file_id)),
            output_folder=str(self._folder / batch.id),
            expires_s=batch.expires_s,
        )
        job = await self._jobs.submit(KIND.name, order, batch.owner)
        submitted = replace(batch, job_id=job.id)
        await self._save(submitted)
        return submitted

    async def _follow(self, job_id: JobId) -> None:
        """Let the batch be what became of its job."""
        job = await self._job(job_id)
        batch = await self._of_job(job)
        if batch is None or batch.state in BATCH_ENDED:
            return
        if job.state == "running" and batch.state == "validating":
            await self._save(replace(batch, state="in_progress", in_progress_s=self._now()))
        elif job.state == "cancelled":
            await self._end(self._as_it_is(batch), "cancelled")
        elif job.state == "failed" and job.error is not None:
            fault = BatchFault(code="internal_error", message=job.error.message)
            await self._end(replace(self._as_it_is(batch), faults=(fault,)), "failed")

    async def _end(self, batch: Batch, state: BatchState) -> None:
        """Give a batch its files and its last state, in this order: whoever sees the end finds the files."""
        folder = self._folder / batch.id
        output = await self._keep(batch, output_path(folder))
        errors = await self._keep(batch, error_path(folder))
        now_s = self._now()
        await self._save(
            replace(
                batch,
                state=state,
                output_file_id=output,
                error_file_id=errors,
                finalizing_s=now_s if state == "completed" else None,
                ended_s=now_s,
            )
        )
        if batch.job_id is not None:
            self._counts.pop(batch.job_id, None)

    async def _keep(self, batch: Batch, path: Path) -> FileId | None:
        """Make a caller's file of a result file, under an id that is the same however often this is done."""
        size_bytes = await asyncio.to_thread(_size_bytes, path)
        if not size_bytes:
            return None
        now_s = self._now()
        file = UserFile(
            id=FileId(f"file-{batch.id.removeprefix('batch_')}-{path.stem}"),
            owner=batch.owner,
            purpose="batch_output",
            filename=f"{batch.id}_{path.name}",
            size_bytes=size_bytes,
            created_s=now_s,
            expires_s=None if batch.output_keep_s is None else now_s + batch.output_keep_s,
        )
        await self._files.adopt(path, file)
        return file.id

    async def _cancel_job(self, batch: Batch) -> None:
        assert self._jobs is not None and batch.job_id is not None, "it has a job"
        try:
            await self._jobs.cancel(JobId(batch.job_id))
        except Conflict:
            await self._follow(JobId(batch.job_id))

    async def _job(self, job_id: str) -> Job:
        assert self._jobs is not None, "start comes first"
        return await self._jobs.get(JobId(job_id))

    async def _of_job(self, job: Job) -> Batch | None:
        batch_id = str(job.arguments["batch"])
        return await self._storage.do(lambda table: table.get(batch_id))

    async def _save(self, batch: Batch) -> None:
        deliveries = self._notifications.of_batch(batch)
        await self._storage.do(lambda table: table.save(batch, deliveries))
        if deliveries:
            self._notifications.wake()

    def _as_it_is(self, batch: Batch) -> Batch:
        counts = self._counts.get(batch.job_id or "")
        return batch if counts is None or batch.state in BATCH_ENDED else replace(batch, counts=counts)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except JobNotFound:
            return
        except ApplianceError as error:
            logger.error("a batch could not be followed: %s", error.message)


def new_batch_id() -> BatchId:
    """Return an id that no other batch has."""
    return BatchId(f"batch_{uuid.uuid4().hex}")


def _note(batch_id: BatchId, state: BatchState, outcome: BatchOutcome) -> str:
    if outcome.faults:
        return f"{batch_id} was not begun: {outcome.faults[0].message}"
    counts = outcome.counts
    return f"{batch_id} is {state}: {counts.completed} of {counts.total} answered, {counts.failed} refused"


def _size_bytes(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
