"""The scheduler's effects, for real: worker processes, the inboxes of streams, and who watches a model."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Protocol

from appliance.core.events import (
    Failed,
    MemoryRanShort,
    ModelStateChanged,
    PromptRead,
    RequestEnded,
    RequestEvent,
    SystemEvent,
)
from appliance.core.messages import FromWorker, Load, ToWorker
from appliance.core.plan import LoadPlan
from appliance.core.request import ReadRequest, RequestId
from appliance.errors import ApplianceError, Conflict, from_info, to_info
from appliance.link.readings import Readings

from .stream import Inbox

logger = logging.getLogger(__name__)

STOP_GRACE_S = 5.0

News = float | ModelStateChanged | ApplianceError
"""What a watcher of a model is told: the progress of its load, its new state, or that it will never be loaded."""


class Worker(Protocol):
    """A worker as the pool needs it."""

    def send(self, messages: Sequence[ToWorker]) -> None:
        """Send one frame."""

    def terminate(self, grace_s: float) -> None:
        """Begin to end it, gently for `grace_s`."""


Spawn = Callable[[str, Callable[[list[FromWorker]], None], Callable[[str], None]], Worker]


class WorkerPool:
    """Implements `Effects`. Owns no decision: it does what it is told and passes on what it hears."""

    def __init__(
        self,
        planner: Callable[[str], LoadPlan],
        memory: Callable[[], int],
        publish: Callable[[SystemEvent], None],
        spawn: Spawn,
        on_messages: Callable[[str, list[FromWorker]], None],
        on_exit: Callable[[str, str], None],
    ) -> None:
        self.plan = planner
        self.available_memory_bytes = memory
        self._publish = publish
        self._spawn = spawn
        self._on_messages = on_messages
        self._on_exit = on_exit
        self._workers: dict[str, Worker] = {}
        self._inboxes: dict[RequestId, Inbox] = {}
        self._watchers: defaultdict[str, set[asyncio.Queue[News]]] = defaultdict(set)
        self._readings: defaultdict[str, Readings] = defaultdict(Readings)
        self._is_empty = asyncio.Event()
        self._is_empty.set()

    # Effects

    def start_worker(self, plan: LoadPlan) -> None:
        """Start a process and let it load."""
        model = plan.model
        try:
            worker = self._spawn(
                model,
                lambda messages: self._on_messages(model, messages),
                lambda cause: self._exited(model, cause),
            )
        except OSError as error:
            asyncio.get_running_loop().call_soon(self._exited, model, f"could not be started: {error}")
            return
        self._workers[model] = worker
        self._is_empty.clear()
        worker.send([Load(plan=plan)])

    def stop_worker(self, model: str) -> None:
        """End the model's process."""
        if worker := self._workers.get(model):
            worker.terminate(STOP_GRACE_S)

    def send(self, model: str, messages: Sequence[ToWorker]) -> None:
        """Send one frame to the model's worker."""
        self._workers[model].send(messages)

    def fail(self, request_id: RequestId, error: ApplianceError) -> None:
        """Leave the error in the request's inbox: a copy, since an exception gathers the frames that raise it."""
        self._inboxes[request_id].error = from_info(to_info(error))

    def publish(self, event: SystemEvent) -> None:
        """Tell the streams and watchers that it concerns, the log, and the rest of the system."""
        if isinstance(event, RequestEnded):
            self._inboxes.pop(event.id).close()
        elif isinstance(event, ModelStateChanged):
            level = logging.WARNING if event.state == "failed" else logging.INFO
            logger.log(level, "model '%s' is %s%s", event.model, event.state, event.reason and f": {event.reason}")
            self.tell(event.model, event)
        elif isinstance(event, MemoryRanShort):
            logger.warning("model '%s' ran out of memory: %s", event.model, event.measure)
        self._publish(event)

    # Streams

    def open_inbox(self, request_id: RequestId) -> Inbox:
        """Return the inbox into which the request's events will go. Raises: Conflict, when the id is in use."""
        if request_id in self._inboxes:
            raise Conflict(f"a request with the id '{request_id}' is running; use an id once")
        inbox = self._inboxes[request_id] = Inbox()
        return inbox

    def drop_inbox(self, request_id: RequestId) -> None:
        """Forget the inbox of a request that was turned away."""
        del self._inboxes[request_id]

    def deliver(self, events: Sequence[RequestEvent]) -> None:
        """Put the events of one frame into their inboxes; each reader wakes once."""
        touched = set()
        for event in events:
            inbox = self._inboxes.get(event.id)
            if inbox is not None and not isinstance(event, Failed):
                inbox.events.append(event)
                touched.add(inbox)
        for inbox in touched:
            inbox.wake()

    # Prompts that are only read

    async def read(self, request: ReadRequest) -> PromptRead | None:
        """Return what the model's worker reads, None when it ends before. Raises: what reading the prompt raises."""
        return await self._readings[request.model].ask(request, self._workers[request.model].send)

    def take_reading(self, model: str, message: PromptRead | Failed) -> None:
        """Give an answer to whom it belongs."""
        self._readings[model].take(message)

    # Watchers

    def watch(self, model: str) -> asyncio.Queue[News]:
        """Return a queue of what happens to the model from now on."""
        queue: asyncio.Queue[News] = asyncio.Queue()
        self._watchers[model].add(queue)
        return queue

    def unwatch(self, model: str, queue: asyncio.Queue[News]) -> None:
        """Stop telling this queue."""
        self._watchers[model].discard(queue)
        if not self._watchers[model]:
            del self._watchers[model]

    def tell(self, model: str, news: News) -> None:
        """Tell whoever watches the model."""
        for queue in self._watchers.get(model, ()):
            queue.put_nowait(news)

    def tell_all(self, news: News) -> None:
        """Tell whoever watches any model."""
        for model in self._watchers:
            self.tell(model, news)

    # Processes

    async def wait_until_empty(self) -> None:
        """Wait until no worker process is left."""
        await self._is_empty.wait()

    def _exited(self, model: str, cause: str) -> None:
        self._workers.pop(model, None)
        self._readings.pop(model, Readings()).end()
        if not self._workers:
            self._is_empty.set()
        self._on_exit(model, cause)
