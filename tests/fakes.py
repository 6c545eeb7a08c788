"""Stand-ins with real behaviour for tests: each does what the real one promises, without processes or models."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path

from appliance.core.admin import LoadedModelStatus
from appliance.core.caller import Caller
from appliance.core.easing import FULL
from appliance.core.events import (
    Accepted,
    Delta,
    Finished,
    FinishReason,
    PromptRead,
    RequestEvent,
    Timings,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from appliance.core.hardware import HardwareSnapshot, Instruction, Memory, Processor, System
from appliance.core.plan import Artefact, LoadPlan
from appliance.core.request import GenerateRequest, ReadRequest, RequestId
from appliance.errors import ApplianceError
from appliance.scheduler.queue_place import QueuePlace
from appliance.scheduler.stream import Inbox, RequestStream

GIB = 2**30


def machine(
    *, usable_cores: int = 4, memory_bytes: int = 8 * GIB, instructions: frozenset[Instruction] = frozenset()
) -> HardwareSnapshot:
    """A plain x86 machine without accelerators."""
    processor = Processor(
        architecture="x86_64",
        vendor="GenuineIntel",
        model="a processor",
        features=frozenset(),
        instructions=instructions,
        num_sockets=1,
        logical_cores=usable_cores,
        physical_cores=usable_cores,
        performance_cores=None,
        efficiency_cores=None,
        quota_cores=None,
        usable_cores=usable_cores,
        max_mhz=None,
        governor=None,
        caches=(),
    )
    return HardwareSnapshot(
        processor=processor,
        memory=Memory(total_bytes=memory_bytes, physical_bytes=memory_bytes, limit_bytes=None, swap_bytes=None),
        system=System(name=None, kernel=None, container=None, virtual_machine=None),
    )


Script = Callable[[GenerateRequest], Iterable[RequestEvent | ApplianceError]]


def accepted(request: GenerateRequest, num_prompt_tokens: int = 7, cached_tokens: int = 3) -> Accepted:
    return Accepted(id=request.id, num_prompt_tokens=num_prompt_tokens, cached_tokens=cached_tokens)


def delta(
    request: GenerateRequest,
    text: str,
    *,
    choice: int = 0,
    num_tokens: int = 1,
    logprobs: tuple[TokenLogprob, ...] = (),
    timings: Timings | None = None,
    reasoning: str = "",
    tool_calls: tuple[ToolCallDelta, ...] = (),
) -> Delta:
    return Delta(
        id=request.id,
        choice=choice,
        num_tokens=num_tokens,
        text=text,
        reasoning=reasoning,
        tool_calls=tool_calls,
        logprobs=logprobs,
        timings=timings,
    )


def finished(
    request: GenerateRequest,
    *,
    choice: int = 0,
    reason: FinishReason = "stop",
    completion_tokens: int = 2,
    reasoning_tokens: int = 0,
    sum_logprob: float | None = None,
) -> Finished:
    return Finished(
        id=request.id,
        choice=choice,
        reason=reason,
        usage=Usage(
            prompt_tokens=7, cached_tokens=3, completion_tokens=completion_tokens, reasoning_tokens=reasoning_tokens
        ),
        timings=Timings(queue_s=0.0, prefill_s=0.2, decode_s=0.1),
        mean_token_probability=0.5,
        sum_logprob=sum_logprob,
    )


def two_words(request: GenerateRequest) -> list[RequestEvent | ApplianceError]:
    """Every choice says `Hello wörld`."""
    choices = range(request.num_choices)
    return [
        accepted(request),
        *(delta(request, "Hello", choice=choice) for choice in choices),
        *(delta(request, " wörld", choice=choice) for choice in choices),
        *(finished(request, choice=choice) for choice in choices),
    ]


class FakeScheduler:
    """Answers by a script. A script that neither finishes nor fails leaves its request running.

    `refusal` is raised by the next `submit`; `requests` and `cancelled` record what came. A request has `place` in the
    queue, until the test changes `places`.
    """

    def __init__(self) -> None:
        self.script: Script = two_words
        self.refusal: ApplianceError | None = None
        self.load_error: ApplianceError | None = None
        self.load_ratios: Sequence[float] = (0.5, 1.0)
        self.statuses: tuple[LoadedModelStatus, ...] = ()
        self.requests: list[tuple[GenerateRequest, Caller]] = []
        self.pins: list[tuple[str, bool]] = []
        self.kept: list[tuple[str, float]] = []
        self.unloaded: list[str] = []
        self.renewed: list[str] = []
        self.submitted: asyncio.Queue[RequestId] = asyncio.Queue()
        self.cancelled: asyncio.Queue[RequestId] = asyncio.Queue()
        self.inboxes: dict[RequestId, Inbox] = {}
        self.place: QueuePlace | None = None
        self.places: dict[RequestId, QueuePlace] = {}
        self.easing = FULL

    @property
    def last(self) -> GenerateRequest:
        return self.requests[-1][0]

    def submit(self, request: GenerateRequest, caller: Caller) -> RequestStream:
        if self.refusal is not None:
            refusal, self.refusal = self.refusal, None
            raise refusal
        self.requests.append((request, caller))
        self.submitted.put_nowait(request.id)
        self.inboxes[request.id] = Inbox()
        if self.place is not None:
            self.places[request.id] = self.place
        self.tell(request, *self.script(request))
        return RequestStream(request.id, self.inboxes[request.id], self._cancel, lambda id: self.places.get(id))

    def tell(self, request: GenerateRequest, *events: RequestEvent | ApplianceError) -> None:
        inbox = self.inboxes[request.id]
        for event in events:
            if isinstance(event, ApplianceError):
                inbox.error = event
            else:
                inbox.events.append(event)
        num_finished = sum(isinstance(event, Finished) for event in inbox.events)
        if inbox.error is not None or num_finished == request.num_choices:
            inbox.close()
        inbox.wake()

    def _cancel(self, request_id: RequestId) -> None:
        inbox = self.inboxes[request_id]
        if not inbox.is_closed:
            inbox.events.clear()
            inbox.close()
            self.cancelled.put_nowait(request_id)

    def cancel(self, request_id: RequestId, error: ApplianceError) -> None:
        inbox = self.inboxes[request_id]
        inbox.error = error
        inbox.close()

    def renew(self, model: str) -> None:
        self.renewed.append(model)

    async def count(self, request: ReadRequest) -> PromptRead | None:
        return None

    async def load(self, model: str) -> AsyncIterator[float]:
        for ratio in self.load_ratios:
            yield ratio
        if self.load_error is not None:
            raise self.load_error

    async def unload(self, model: str) -> None:
        self.unloaded.append(model)

    def pin(self, model: str, is_pinned: bool) -> None:
        self.pins.append((model, is_pinned))

    def keep(self, model: str, keep_alive_s: float) -> None:
        self.kept.append((model, keep_alive_s))

    def status(self) -> tuple[LoadedModelStatus, ...]:
        return self.statuses


def loaded_status(name: str, state: str = "ready") -> LoadedModelStatus:
    return LoadedModelStatus(
        name=name,
        state=state,
        reason="",
        backend="echo",
        device="cpu",
        is_pinned=False,
        memory_bytes=2**20,
        context_tokens=1024,
        num_running=1,
        num_waiting=2,
        tokens_per_s=0.0,
        kv_used_tokens=0,
        kv_capacity_tokens=4096,
        expires_in_s=None,
    )


def load_plan(model: str = "guide", *, context_tokens: int = 2048, estimated_bytes: int = 2**20) -> LoadPlan:
    return LoadPlan(
        model=model,
        backend="echo",
        artefact=Artefact(format="echo", path="", digest="sha256:0"),
        device="cpu",
        context_tokens=context_tokens,
        kv_capacity_tokens=2 * context_tokens,
        max_sequences=8,
        max_step_sequences=4,
        max_step_tokens=64,
        threads_decode=1,
        threads_prefill=1,
        kv_type="f16",
        gpu_layers=0,
        step_time_target_s=0.1,
        estimated_bytes=estimated_bytes,
        reasons=("chosen by a test",),
    )


class FakeReport:
    """What a job's work is given, as a reporter that remembers what it was told."""

    def __init__(self, home: Path) -> None:
        self.home, self.folder = home, home / "jobs" / "one"
        self.folder.mkdir(parents=True)
        self.told: list[tuple[str, float]] = []

    def progress(self, text: str, done: float = 0.0, total: float | None = None, unit: str = "ratio") -> None:
        self.told.append((text, done))
