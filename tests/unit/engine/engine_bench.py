"""An engine over the echo backend with what came out of it, and small requests for it."""

import itertools
from collections.abc import Callable
from typing import Any

from appliance.backends.base import Batch, StepAborted, StepOutput
from appliance.backends.echo import EchoBackend, EchoModel
from appliance.backends.echo_description import parse_options
from appliance.core.events import Delta, Finished
from appliance.core.plan import Artefact, LoadPlan
from appliance.core.request import ChatPrompt, GenerateRequest, Message, RequestId, TextPrompt
from appliance.core.sampling import SamplingParams, StopConditions
from appliance.engine.engine import Engine, EngineEvent
from appliance.engine.prompt import Arrival, PromptReader
from appliance.errors import OutOfDeviceMemory

GREEDY = SamplingParams(temperature=0.0)


class DisturbedModel(EchoModel):
    """Fails as often as it is told, as a device does that has no memory left, and lets things happen in its steps."""

    out_of_memory_times = 0
    meanwhile: Callable[[], None] = staticmethod(lambda: None)
    num_aborted = 0
    _is_aborted = False

    def step(self, batch: Batch) -> StepOutput:
        if self.out_of_memory_times:
            self.out_of_memory_times -= 1
            raise OutOfDeviceMemory("no memory for a step")
        self._is_aborted = False
        self.meanwhile()
        if self._is_aborted:
            self.num_aborted += 1
            raise StepAborted
        return super().step(batch)

    def abort(self) -> None:
        self._is_aborted = True


class Bench:
    """An engine with its model, and what came out of it."""

    kind: type[DisturbedModel] = DisturbedModel

    def __init__(self, path: str = "echo:", *, speculates: bool = True, **limits: int) -> None:
        plan = make_plan(path, **limits)
        self.model = self.kind(plan, parse_options(path))
        tokenizer = EchoBackend().open_tokenizer(plan.artefact)
        ticks = itertools.count()
        self.engine = Engine(self.model, tokenizer, 0.1, lambda: next(ticks) * 0.001, speculates=speculates)
        self.reader = PromptReader(tokenizer, self.model.traits.max_context_tokens, self.model)
        self.events: list[EngineEvent] = []

    def start(self, *requests: GenerateRequest, caller: str = "", rank: float = 0.0) -> "Bench":
        for number, request in enumerate(requests):
            prepared = self.reader.prepare(request, Arrival(caller=caller, rank=rank + number))
            self.events += self.engine.start(prepared)
        return self

    def step(self, count: int = 1) -> None:
        for _ in range(count):
            if self.engine.has_work:
                self.events += self.engine.step()
                self.engine.check_integrity()

    def run(self) -> "Bench":
        self.step(10_000)
        assert not self.engine.has_work
        return self

    def text(self, request_id: str, choice: int = 0) -> str:
        return "".join(e.text for e in self.of(Delta) if (e.id, e.choice) == (request_id, choice))

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def finished(self, request_id: str, choice: int = 0) -> Finished:
        (event,) = [e for e in self.of(Finished) if (e.id, e.choice) == (request_id, choice)]
        return event


def make_plan(path: str, **limits: int) -> LoadPlan:
    values = {
        "context_tokens": 512,
        "kv_capacity_tokens": 4096,
        "max_sequences": 16,
        "max_step_sequences": 8,
        "max_step_tokens": 64,
    } | limits
    return LoadPlan(
        model="parrot",
        backend="echo",
        artefact=Artefact(format="echo", path=path, digest="sha256:0"),
        device="cpu",
        threads_decode=1,
        threads_prefill=1,
        kv_type="f16",
        gpu_layers=0,
        step_time_target_s=0.1,
        estimated_bytes=0,
        reasons=(),
        **values,
    )


def chat(request_id: str, text: str, **fields: Any) -> GenerateRequest:
    fields.setdefault("sampling", GREEDY)
    prompt = ChatPrompt(messages=(Message(role="user", content=text),))
    return GenerateRequest(id=RequestId(request_id), model="parrot", prompt=prompt, **fields)


def text_prompt(request_id: str, text: str, max_tokens: int, **fields: Any) -> GenerateRequest:
    fields.setdefault("sampling", GREEDY)
    stop = StopConditions(max_tokens=max_tokens, strings=fields.pop("stop", ()))
    return GenerateRequest(id=RequestId(request_id), model="parrot", prompt=TextPrompt(text=text), stop=stop, **fields)
