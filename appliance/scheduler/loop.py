"""The one owner of the scheduler on the event loop: callers and workers speak to it, and it alone to the scheduler."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable, Sequence

from appliance.core.admin import LoadedModelStatus
from appliance.core.caller import Caller
from appliance.core.easing import FULL, Easing
from appliance.core.events import Failed, ModelCalibrated, ModelStateChanged, PromptRead, RequestEvent, SystemEvent
from appliance.core.messages import ForgetAdapter, FromWorker, LoadFailed, Loading, MemoryPressure, Ready, Stats
from appliance.core.plan import LoadPlan
from appliance.core.request import ReadRequest, Request, RequestId
from appliance.errors import ApplianceError, BackendError, Draining, from_info, to_info
from appliance.link.process import WorkerProcess
from appliance.settings import SchedulerSettings

from .pool import Spawn, WorkerPool
from .queue_place import QueuePlace
from .scheduler import Scheduler
from .stream import RequestStream


class SchedulerLoop:
    """What the service and the API call. All methods belong to the event loop's thread."""

    def __init__(
        self,
        planner: Callable[[str], LoadPlan],
        settings: SchedulerSettings,
        *,
        memory: Callable[[], int],
        memory_total_bytes: int,
        publish: Callable[[SystemEvent], None],
        clock: Callable[[], float] = time.monotonic,
        spawn: Spawn = WorkerProcess.spawn,
    ) -> None:
        """Make an owner without models. `memory` returns the bytes available now; `planner` raises ModelNotFound."""
        self._clock = clock
        self._pool = WorkerPool(planner, memory, publish, spawn, self._on_messages, self._on_worker_exit)
        self._scheduler = Scheduler(settings, memory_total_bytes, self._pool)
        self._loader_ids = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due_s: float | None = None
        self._is_idle = asyncio.Event()
        self.easing = FULL
        """How hard the machine may work now."""

    async def start(self, preload: Sequence[str]) -> None:
        """Pin these models and begin to load them. Raises: ModelNotFound."""
        for model in preload:
            self.pin(model, True)

    def submit(self, request: Request, caller: Caller) -> RequestStream:
        """Let a request in and return its stream.

        Raises: QueueFull, DoesNotFit, ModelLoading (back-off), Draining, InvalidRequest, and what the planner raises.
        """
        inbox = self._pool.open_inbox(request.id)
        try:
            self._scheduler.on_request(request, caller, self._clock())
        except ApplianceError:
            self._pool.drop_inbox(request.id)
            raise
        self._after()
        return RequestStream(request.id, inbox, self.cancel, self._queue_place)

    def cancel(self, request_id: RequestId, error: ApplianceError | None = None) -> None:
        """End a request, with what its caller is told when somebody else gave it up. One that is over stays so."""
        self._scheduler.on_cancel(request_id, self._clock(), error)
        self._after()

    async def count(self, request: ReadRequest) -> PromptRead | None:
        """Let the worker of a loaded model count a prompt's tokens; None when there is none. Raises: as `submit`."""
        return await self._pool.read(request) if self._scheduler.is_loaded(request.model) else None

    async def load(self, model: str) -> AsyncIterator[float]:
        """Yield the progress of the model's load, 0 to 1; end when it is ready. Raises: ApplianceError."""
        loader = next(self._loader_ids)
        news = self._pool.watch(model)
        try:
            self._scheduler.on_load(model, loader, self._clock())
            self._after()
            is_ready = self._scheduler.is_loaded(model)
            while not is_ready:
                item = await news.get()
                if isinstance(item, ApplianceError):
                    raise item
                if isinstance(item, ModelStateChanged):
                    is_ready = item.state == "ready"
                    self._raise_if_failed(item)
                else:
                    yield item
            yield 1.0
        finally:
            self._pool.unwatch(model, news)
            self._scheduler.on_load_abandoned(model, loader)

    async def unload(self, model: str) -> None:
        """Stop the model's worker and wait until its memory is free. Raises: Conflict, while in use or pinned."""
        news = self._pool.watch(model)
        try:
            self._scheduler.on_unload(model, self._clock())
            self._after()
            while self._scheduler.is_stopping(model):
                await news.get()
        finally:
            self._pool.unwatch(model, news)

    def pin(self, model: str, is_pinned: bool) -> None:
        """Load the model and keep it loaded, or let it leave like any other. Raises: ModelNotFound."""
        self._scheduler.on_pin(model, is_pinned, self._clock())
        self._after()

    def renew(self, model: str) -> None:
        """Let what runs on the model end with the files that its name meant, and load the new ones for all else."""
        self._scheduler.on_renew(model, self._clock())
        self._after()

    def keep(self, model: str, keep_alive_s: float) -> None:
        """Let the model stay for so long once nobody uses it, or for ever; 0 ends it then. Raises: ModelNotFound."""
        self._scheduler.on_keep(model, keep_alive_s, self._clock())
        self._after()

    def forget_adapter(self, digest: str) -> None:
        """Let no model keep an adapter in memory; what runs with it goes on."""
        for row in self.status():
            if row.state == "ready":
                self._pool.send(row.name, [ForgetAdapter(digest=digest)])

    def ease(self, easing: Easing) -> None:
        """Let models use so much of what they could, and batches wait or go on."""
        self.easing = easing
        self._scheduler.on_easing(easing, self._clock())
        self._after()

    def status(self) -> tuple[LoadedModelStatus, ...]:
        """Return a row for each model that has a worker, waits for one, or failed."""
        return self._scheduler.status(self._clock())

    def last_error(self, model: str) -> str | None:
        """Return why the model's last load or worker failed, None since it was last loaded."""
        error = self._scheduler.last_error(model)
        return error.message if error else None

    async def drain(self, timeout_s: float) -> None:
        """Refuse what comes, let what runs end within `timeout_s`, then stop every worker."""
        self._scheduler.on_drain(self._clock())
        self._pool.tell_all(Draining("the appliance is stopping"))
        self._after()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._is_idle.wait()
        await self.close()

    async def close(self) -> None:
        """End what still runs and wait until every worker process is gone."""
        self._scheduler.on_close(self._clock())
        self._pool.tell_all(Draining("the appliance is stopping"))
        await self._pool.wait_until_empty()
        self._set_timer(None)

    # From workers

    def _on_messages(self, model: str, messages: list[FromWorker]) -> None:
        now_s = self._clock()
        events: list[RequestEvent] = []
        is_settled = True
        for message in messages:
            if isinstance(message, PromptRead | Failed):
                self._pool.take_reading(model, message)
            if isinstance(message, RequestEvent):
                events.append(message)
            elif not isinstance(message, PromptRead):
                self._on_news(model, message, now_s)
                is_settled = False
        if events:
            self._pool.deliver(events)
            is_settled = not self._scheduler.on_events(events, now_s) and is_settled
        if not is_settled:
            self._after()

    def _on_news(
        self, model: str, message: Loading | Ready | LoadFailed | Stats | MemoryPressure, now_s: float
    ) -> None:
        if isinstance(message, Loading):
            self._scheduler.on_progress(model, message.ratio)
            self._pool.tell(model, message.ratio)
        elif isinstance(message, Ready):
            self._scheduler.on_loaded(model, message.traits, message.memory_bytes, now_s)
            if message.calibration is not None:
                self._pool.publish(ModelCalibrated(model=model, calibration=message.calibration))
        elif isinstance(message, LoadFailed):
            self._scheduler.on_load_failed(model, from_info(message.error), now_s)
        elif isinstance(message, MemoryPressure):
            self._scheduler.on_memory_pressure(model, message.measure, now_s)
        else:
            self._scheduler.on_stats(model, message)

    def _on_worker_exit(self, model: str, cause: str) -> None:
        self._scheduler.on_worker_exit(model, cause, self._clock())
        self._after()

    # From callers and the clock

    def _queue_place(self, request_id: RequestId) -> QueuePlace | None:
        return self._scheduler.queue_place(request_id, self._clock())

    def _on_timer(self) -> None:
        self._timer = self._timer_due_s = None
        self._scheduler.on_tick(self._clock())
        self._after()

    def _after(self) -> None:
        """Follow every call into the scheduler: note when it is idle, and when it wants to be woken."""
        if self._scheduler.num_begun == 0:
            self._is_idle.set()
        else:
            self._is_idle.clear()
        self._set_timer(self._scheduler.next_due_s(self._clock()))

    def _set_timer(self, due_s: float | None) -> None:
        if due_s == self._timer_due_s:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._timer_due_s = due_s
        if due_s is not None:
            delay_s = max(0.0, due_s - self._clock())
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._on_timer)

    def _raise_if_failed(self, change: ModelStateChanged) -> None:
        if change.state == "failed":
            error = self._scheduler.last_error(change.model) or BackendError(change.reason)
            raise from_info(to_info(error))
