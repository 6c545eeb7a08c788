"""A scheduler with real worker processes on the echo backend, whose artefact's path asks for faults."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop

from appliance.core.caller import LOCAL
from appliance.core.events import Delta, Finished, ModelState, SystemEvent
from appliance.core.messages import FromWorker
from appliance.core.plan import Artefact, LoadPlan
from appliance.core.request import GenerateRequest, RequestId, TextPrompt
from appliance.core.sampling import SamplingParams, StopConditions
from appliance.link.process import BASE_ENVIRON, WorkerProcess, worker_command
from appliance.scheduler.loop import SchedulerLoop
from appliance.scheduler.stream import RequestStream
from appliance.settings import SchedulerSettings

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 60.0
GIB = 2**30

ENVIRON = {**BASE_ENVIRON, "PYTHONPATH": str(ROOT)}
"""Workers find the package in the checkout, whether or not it is installed."""


def on_uvloop(scenario: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on the event loop that the daemon runs on, with a limit on its time."""

    @functools.wraps(scenario)
    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(asyncio.wait_for(scenario(), TIMEOUT_S))

    return run


def echo_plan(model: str, options: str) -> LoadPlan:
    return LoadPlan(
        model=model,
        backend="echo",
        artefact=Artefact(format="echo", path=f"echo:{options}", digest=model),
        device="cpu",
        context_tokens=4096,
        kv_capacity_tokens=16384,
        max_sequences=16,
        max_step_sequences=8,
        max_step_tokens=64,
        threads_decode=1,
        threads_prefill=1,
        kv_type="f16",
        gpu_layers=0,
        step_time_target_s=0.1,
        estimated_bytes=GIB // 10,
        reasons=(),
    )


class Daemon:
    """The owner of the scheduler, and the models it knows: name → options of the echo artefact.

    `commands` puts another program in the place of a model's worker.
    """

    def __init__(self, **models: str) -> None:
        self.models = models
        self.pids: dict[str, int] = {}
        self.commands: dict[str, Callable[[int], list[str]]] = {}
        self._has_news = asyncio.Event()
        self.owner = SchedulerLoop(
            lambda model: echo_plan(model, self.models[model]),
            SchedulerSettings(),
            memory=lambda: 10 * GIB,
            memory_total_bytes=10 * GIB,
            publish=self._publish,
            spawn=self._spawn,
        )

    async def __aenter__(self) -> "Daemon":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.owner.close()

    def _spawn(
        self, model: str, on_messages: Callable[[list[FromWorker]], None], on_exit: Callable[[str], None]
    ) -> WorkerProcess:
        command = self.commands.get(model, worker_command)
        worker = WorkerProcess.spawn(model, on_messages, on_exit, environ=ENVIRON, command=command)
        self.pids[model] = worker.pid
        return worker

    def submit(self, id_: str, model: str, max_tokens: int = 8) -> RequestStream:
        request = GenerateRequest(
            id=RequestId(id_),
            model=model,
            prompt=TextPrompt(text=f"hello {id_}"),
            sampling=SamplingParams(temperature=0.0),
            stop=StopConditions(max_tokens=max_tokens, ignore_eos=True),
        )
        return self.owner.submit(request, LOCAL)

    async def answer(self, id_: str, model: str) -> Finished:
        """Return the end of a whole answer."""
        return await read(self.submit(id_, model))

    async def until(self, model: str, state: ModelState) -> None:
        """Wait until the model has entered the state."""
        while not any(row.name == model and row.state == state for row in self.owner.status()):
            self._has_news.clear()
            await self._has_news.wait()

    def _publish(self, event: SystemEvent) -> None:
        self._has_news.set()


async def read(stream: RequestStream) -> Finished:
    """Read the stream to its end."""
    events = [event async for event in stream]
    assert isinstance(events[-1], Finished)
    return events[-1]


async def first_delta(stream: RequestStream) -> Delta:
    """Wait until the request runs."""
    async for event in stream:
        if isinstance(event, Delta):
            return event
    raise AssertionError("the stream ended without a token")
