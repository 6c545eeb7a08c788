"""The jobs of the daemon: taken in, started in their order, halted, ended, and told about. Owns every job's state."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import msgspec

from appliance.core.events import JobProgressed, JobStateChanged, SystemEvent
from appliance.core.jobs import (
    ChildResult,
    Job,
    JobError,
    JobId,
    JobKind,
    JobOrder,
    JobProgress,
    JsonObject,
    Lane,
    Tell,
)
from appliance.database import DATABASE_FILE
from appliance.errors import ApplianceError, Conflict, Draining, InvalidRequest, JobNotFound, StorageError
from appliance.settings import JobsSettings

from . import states
from .folders import JobFolders
from .followers import Followers
from .marked import kill_marked
from .notify.notifications import Notifications
from .runner import JobProcess
from .storage import JobStorage

MAX_LISTED = 200

Finisher = Callable[[Job, JsonObject, Tell], Awaitable[JsonObject]]
"""Takes over what a child made, before its folder is deleted; what it returns becomes the job's result."""
Discarder = Callable[[Path], None]
"""Is shown the folder of a job that was given up, before it is deleted: what the job left elsewhere goes, too."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Run:
    """A job that has a process, or is about to have one, or just had one."""

    process: JobProcess
    task: asyncio.Task[None] | None = None
    stopped_for: Literal["cancel", "shutdown", "others"] | None = None
    is_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSources:
    """What jobs are made from: the kinds there are, and what the daemon tells some of them and does with their results.

    `settings` are told to the child alone. `may_begin` is asked before idle work begins.
    """

    kinds: Iterable[JobKind]
    finishers: Mapping[str, Finisher] = field(default_factory=dict)
    discarders: Mapping[str, Discarder] = field(default_factory=dict)
    settings: Mapping[str, msgspec.Struct] = field(default_factory=dict)
    may_begin: Callable[[Job], bool] = lambda job: True
    notifications: Notifications | None = None
    environ: Mapping[str, str]


class Jobs:
    """All jobs of one home. Every method runs on the daemon's event loop; nothing runs before `start`."""

    def __init__(
        self,
        home: Path,
        settings: JobsSettings,
        sources: JobSources,
        publish: Callable[[SystemEvent], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._home = home
        self._settings = settings
        self._kinds = {kind.name: kind for kind in sources.kinds}
        self._sources = sources
        self._publish = publish
        self._now = now
        self._storage = JobStorage(home / DATABASE_FILE)
        self._folders = JobFolders(home)
        self._active: dict[JobId, Job] = {}
        self._runs: dict[JobId, _Run] = {}
        self._followers = Followers("job")
        self._submitting = asyncio.Lock()
        self._is_closing = False

    async def start(self) -> None:
        """Take up what the last daemon left, and begin to work."""
        await self._storage.open()
        if not self._storage.is_usable:
            return
        try:
            found = await self._storage.active()
        except StorageError as error:
            logger.error("jobs cannot go on: %s", error.message)
            return
        interrupted = frozenset(job.id for job in found if job.state != "queued")
        await asyncio.to_thread(kill_marked, interrupted)
        await asyncio.to_thread(self._folders.keep_only, [job.id for job in found])
        for job in found:
            await self._change(self._taken_up(job))
        self._start_waiting()

    async def close(self) -> None:
        """Stop what runs, so that the next daemon takes it up, and take nothing in any more."""
        self._is_closing = True
        runs = list(self._runs.values())
        for run in runs:
            run.stopped_for = run.stopped_for or "shutdown"
            run.process.stop()
        await asyncio.gather(*(run.task for run in runs if run.task is not None))
        self._followers.close()
        await self._storage.close()

    async def submit(self, kind: str, arguments: JsonObject | msgspec.Struct, caller: str) -> Job:
        """Return the new job, which is on the disk, or the one that does the same already, which goes on if it rested.

        Raises: InvalidRequest, Draining, StorageError.
        """
        if self._is_closing:
            raise Draining("the daemon is stopping; try again when it is back")
        checked = self._checked(kind, arguments)
        async with self._submitting:
            if shared := self._same(self._kinds[kind], checked):
                return await self.resume(shared.id) if shared.state == "paused" else shared
            job = Job(
                id=JobId("job-" + secrets.token_hex(6)),
                kind=kind,
                arguments=checked,
                caller=caller,
                created_s=self._now(),
            )
            await self._storage.add(job)
            self._remember(job)
            self._start_waiting()
            return self._active[job.id]

    async def newest(self) -> tuple[Job, ...]:
        """Return the newest jobs, the newest first. Raises: StorageError."""
        return tuple(self._active.get(job.id, job) for job in await self._storage.newest(MAX_LISTED))

    async def get(self, job_id: JobId) -> Job:
        """Return one job. Raises: JobNotFound, StorageError."""
        job = self._active.get(job_id) or await self._storage.get(job_id)
        if job is None:
            raise JobNotFound(f"there is no job {job_id!r}; `appliance jobs list` shows those there are")
        return job

    async def pause(self, job_id: JobId) -> Job:
        """Halt a job, or keep it from starting; another may run in its place. Raises: JobNotFound, Conflict."""
        paused = states.pause(await self.get(job_id))
        if run := self._runs.get(job_id):
            if run.is_over or run.stopped_for:
                raise Conflict(f"job {job_id} is about to end; there is nothing left to pause")
            run.process.pause()
        await self._change(paused)
        self._start_waiting()
        return paused

    async def resume(self, job_id: JobId) -> Job:
        """Let a paused job go on when its turn comes. Raises: JobNotFound, Conflict."""
        await self._change(states.resume(await self.get(job_id)))
        self._start_waiting()
        return await self.get(job_id)

    async def cancel(self, job_id: JobId) -> Job:
        """Give a job up and return it once nothing of it runs any more. Raises: JobNotFound, Conflict."""
        cancelled = states.cancel(await self.get(job_id), self._now())
        run = self._runs.get(job_id)
        if run is None or run.task is None:
            self._remember(cancelled)
            await asyncio.to_thread(self._discard, cancelled)
            await self._change(cancelled)
        else:
            run.stopped_for = "cancel"
            run.process.stop()
            await asyncio.shield(run.task)
        return await self.get(job_id)

    def follow(self, job_id: JobId) -> AsyncGenerator[Job, None]:
        """Yield the job now and whenever it changed, until it has ended. Raises: JobNotFound, Draining."""
        return self._followers.follow(job_id, lambda: self.get(job_id))

    def look_again(self) -> None:
        """Let idle work begin that may begin now."""
        self._start_waiting()

    def make_way(self) -> None:
        """Stop idle work at once; it waits for its turn again, and begins with what it has done."""
        for job_id, run in self._runs.items():
            if self._lane(self._active[job_id]) == "idle" and run.stopped_for is None and not run.is_over:
                run.stopped_for = "others"
                run.process.stop()

    def _taken_up(self, job: Job) -> Job:
        try:
            kind = self._kinds[job.kind]
            self._checked(job.kind, job.arguments)
        except KeyError:
            problem = f"this version of the appliance has no kind of job {job.kind!r}"
        except InvalidRequest as error:
            problem = f"another version of the appliance was told to do this: {error.message}"
        else:
            return states.recover(job, self._now(), may_be_cause=kind.lane in ("compute", "idle"))
        return states.fail(states.interrupt(job), JobError(message=problem), self._now())

    def _checked(self, name: str, arguments: JsonObject | msgspec.Struct) -> JsonObject:
        kind = self._kinds.get(name)
        if kind is None:
            known = ", ".join(sorted(self._kinds)) or "none"
            raise InvalidRequest(f"there is no kind of job {name!r}; there are: {known}", param="kind")
        try:
            order = msgspec.convert(msgspec.to_builtins(arguments), kind.arguments)
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"{name}: {error}", param="arguments") from None
        checked: JsonObject = msgspec.to_builtins(order)
        return checked

    def _same(self, kind: JobKind, arguments: JsonObject) -> Job | None:
        """Return the job that does already what is asked for, and is not about to be given up."""
        for job in self._active.values() if kind.shared_by else ():
            run = self._runs.get(job.id)
            is_same = job.kind == kind.name and all(job.arguments.get(n) == arguments.get(n) for n in kind.shared_by)
            if is_same and not job.has_ended and (run is None or run.stopped_for in (None, "others")):
                return job
        return None

    def _start_waiting(self) -> None:
        """Start as many jobs as may run, the oldest first, each lane for itself."""
        limits: dict[Lane, int] = {
            "compute": self._settings.max_running,
            "network": self._settings.max_network_running,
            "serving": self._settings.max_batches_running,
            "idle": 1,
        }
        for lane in get_args(Lane):
            jobs = [job for job in self._active.values() if self._lane(job) == lane]
            num_running = sum(job.state == "running" for job in jobs)
            waiting = [] if self._is_closing else [job for job in jobs if job.state == "queued"]
            if lane == "idle":
                waiting = self._idle(waiting)
            for job in waiting[: max(0, limits[lane] - num_running)]:
                self._begin(job)

    def _idle(self, waiting: list[Job]) -> list[Job]:
        """Return the idle work that may begin: none beside a job that computes, for which it is stopped."""
        if any(job.state == "running" and self._lane(job) == "compute" for job in self._active.values()):
            self.make_way()
            return []
        return [job for job in waiting if self._sources.may_begin(job)]

    def _lane(self, job: Job) -> Lane:
        kind = self._kinds.get(job.kind)
        return "compute" if kind is None else kind.lane

    def _begin(self, job: Job) -> None:
        running = states.start(job, self._now())
        if run := self._runs.get(job.id):
            run.process.resume()
            self._remember(running)
        else:
            self._runs[job.id] = run = _Run(self._process_of(job))
            self._remember(running)
            run.task = asyncio.create_task(self._run(job.id, run))

    def _process_of(self, job: Job) -> JobProcess:
        folder = self._folders.path(job.id)
        order = JobOrder(
            id=job.id,
            arguments=msgspec.Raw(msgspec.json.encode(job.arguments)),
            home=str(self._home),
            folder=str(folder),
            settings=msgspec.Raw(msgspec.json.encode(self._sources.settings.get(job.kind, {}))),
        )
        return JobProcess(
            self._kinds[job.kind].module,
            order,
            environ=self._sources.environ,
            niceness=self._settings.niceness,
            on_progress=lambda progress: self._take_progress(job.id, progress),
        )

    async def _run(self, job_id: JobId, run: _Run) -> None:
        """Be the task of one job from its start to its end."""
        result: JsonObject | JobError
        try:
            result = await self._work(self._active[job_id], run)
        except ApplianceError as error:
            result = JobError(message=error.message, kind=type(error).__name__)
        except Exception as error:
            logger.exception("job %s failed unexpectedly", job_id)
            result = JobError(message=f"something unexpected happened ({type(error).__name__}); the log says more")
        ended = self._ended(self._active[job_id], run, result)
        if ended.has_ended:
            await asyncio.to_thread(self._discard if ended.state == "cancelled" else self._leave, ended)
        del self._runs[job_id]
        await self._change(ended)
        self._start_waiting()

    async def _work(self, job: Job, run: _Run) -> JsonObject | JobError:
        # On the disk first: a daemon that dies under this job must be counted
        await self._storage.update(job)
        await asyncio.to_thread(self._folders.prepare, job.id, is_kept=self._kinds[job.kind].is_resumable)
        outcome = await run.process.run()
        run.is_over = True
        finisher = self._sources.finishers.get(job.kind)
        if isinstance(outcome, ChildResult) and finisher is not None:
            return await finisher(job, outcome.result, lambda progress: self._take_progress(job.id, progress))
        return outcome.result if isinstance(outcome, ChildResult) else outcome

    def _ended(self, job: Job, run: _Run, result: JsonObject | JobError) -> Job:
        """Return the job after its process. What was asked for explains the end of a process that has no result."""
        if not isinstance(result, JobError):
            return states.finish(job, result, self._now())
        if run.stopped_for in ("shutdown", "others"):
            return states.interrupt(job)
        if run.stopped_for == "cancel":
            return states.cancel(job, self._now())
        return states.fail(job, result, self._now())

    def _discard(self, job: Job) -> None:
        if discard := self._sources.discarders.get(job.kind):
            discard(self._folders.path(job.id))
        self._leave(job)

    def _leave(self, job: Job) -> None:
        self._folders.remove(job.id)

    async def _change(self, job: Job) -> None:
        """Let a job be what it became, here and on the disk."""
        self._remember(job)
        notifications = self._sources.notifications
        deliveries = notifications.of_job(job) if notifications else ()
        await self._storage.update(job, deliveries)
        if job.has_ended:
            self._active.pop(job.id, None)
        if notifications and deliveries:
            notifications.wake()

    def _remember(self, job: Job) -> None:
        previous = self._active.get(job.id)
        self._active[job.id] = job
        if previous is None or previous.state != job.state:
            self._tell(job, previous)

    def _tell(self, job: Job, previous: Job | None) -> None:
        cause = f": {job.error.message}" if job.error else ""
        logger.info("job %s (%s) is %s%s", job.id, job.kind, job.state, cause)
        before = None if previous is None else previous.state
        self._publish(
            JobStateChanged(id=job.id, kind=job.kind, state=job.state, previous=before, duration_s=job.duration_s)
        )
        self._followers.wake(job.id)

    def _take_progress(self, job_id: JobId, progress: JobProgress) -> None:
        job = self._active[job_id]
        self._active[job_id] = msgspec.structs.replace(job, progress=progress)
        self._publish(
            JobProgressed(
                id=job_id,
                kind=job.kind,
                text=progress.text,
                done=progress.done,
                total=progress.total,
                unit=progress.unit,
                num_failed=progress.num_failed,
            )
        )
        self._followers.wake(job_id)
