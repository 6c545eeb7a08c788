"""A scheduler on a real event loop, with workers that do as they are told."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

from appliance.core.caller import LOCAL
from appliance.core.events import (
    ModelStateChanged,
    RequestEnded,
    RequestEvent,
    SystemEvent,
)
from appliance.core.messages import Start
from appliance.core.plan import LoadPlan
from appliance.errors import (
    ModelNotFound,
)
from appliance.scheduler.loop import SchedulerLoop
from appliance.scheduler.pool import Spawn
from appliance.scheduler.stream import RequestStream
from appliance.settings import SchedulerSettings
from tests.unit.scheduler.builders import GIB, plan, request
from tests.unit.scheduler.fake_worker import FakeWorker, FakeWorkers

TIMEOUT_S = 10.0
SIZES = {"a": GIB, "b": GIB, "huge": 100 * GIB}


def in_loop(scenario: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test in an event loop, with a limit on its time."""

    @functools.wraps(scenario)
    def run() -> None:
        asyncio.run(asyncio.wait_for(scenario(), TIMEOUT_S))

    return run


def plan_of(model: str) -> LoadPlan:
    if model not in SIZES:
        raise ModelNotFound(f"model '{model}' is not installed")
    return plan(model, SIZES[model])


class Daemon:
    """A loop under test, its workers, and what it published."""

    def __init__(self, spawn: Spawn | None = None, **settings: Any) -> None:
        self.workers = FakeWorkers()
        self.events: list[SystemEvent] = []
        self._has_news = asyncio.Event()
        self.owner = SchedulerLoop(
            plan_of,
            SchedulerSettings(**settings),
            memory=lambda: 10 * GIB,
            memory_total_bytes=10 * GIB,
            publish=self._publish,
            spawn=spawn or self.workers.spawn,
        )

    def _publish(self, event: SystemEvent) -> None:
        self.events.append(event)
        self._has_news.set()

    async def __aenter__(self) -> "Daemon":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.owner.close()

    def submit(self, id_: str, model: str = "a", **fields: Any) -> RequestStream:
        return self.owner.submit(request(id_, model, **fields), LOCAL)

    async def running(self, id_: str) -> tuple[RequestStream, FakeWorker]:
        """Return the stream of a request that a fresh worker has begun."""
        stream = self.submit(id_)
        worker = await self.workers.next()
        await worker.become_ready()
        await worker.next(Start)
        return stream, worker

    def outcomes(self) -> list[tuple[str, str]]:
        return [(event.id, event.outcome) for event in self.events if isinstance(event, RequestEnded)]

    async def until(self, state: str) -> None:
        while not self.states() or self.states()[-1] != state:
            self._has_news.clear()
            await self._has_news.wait()

    def states(self) -> list[str]:
        return [event.state for event in self.events if isinstance(event, ModelStateChanged)]


def place_of(stream: RequestStream) -> int | None:
    return stream.queue_place.position if stream.queue_place else None


async def read(stream: RequestStream) -> list[RequestEvent]:
    return [event async for event in stream]
