"""Whatever happens in whatever order: nothing in use is stopped, nothing loads twice, every request ends once.

The places of a worker are never exceeded, and nothing stays paused or waits while there is room for it.
"""

from collections.abc import Sequence

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from appliance.core.caller import Caller
from appliance.core.events import RequestEnded, SystemEvent
from appliance.core.messages import Cancel, Pause, Resume, Start, ToWorker
from appliance.core.plan import LoadPlan
from appliance.core.request import GenerateRequest, Priority, RequestId
from appliance.errors import ApplianceError, BackendError
from appliance.scheduler.claims import NUM_SPARE_CHOICES
from appliance.scheduler.scheduler import Scheduler
from appliance.settings import SchedulerSettings
from tests.unit.scheduler.builders import GIB, caller, finished, request, traits
from tests.unit.scheduler.recorder import Recorder

SIZES = {"a": 3 * GIB, "b": 4 * GIB, "c": 6 * GIB}
PLACES = 4
models = st.sampled_from(sorted(SIZES))
priorities = st.sampled_from(["interactive", "normal", "batch"])
callers = st.sampled_from([caller("anna"), caller("bert"), caller("cleo", weight=2.0)])


class World(Recorder):
    """Effects that know what a real worker would hold, and object to what must not happen."""

    def __init__(self) -> None:
        super().__init__(SIZES)
        self.workers: dict[str, str] = {}
        self.open_choices: dict[str, dict[RequestId, set[int]]] = {}
        self.aside: dict[str, dict[RequestId, set[int]]] = {}

    def available_memory_bytes(self) -> int:
        return self.total_bytes - sum(SIZES[m] for m, state in self.workers.items() if state != "loading")

    def start_worker(self, plan: LoadPlan) -> None:
        assert plan.model not in self.workers, "a model was loaded twice"
        self.workers[plan.model] = "loading"
        self.open_choices[plan.model] = {}
        self.aside[plan.model] = {}
        assert sum(SIZES[m] for m in self.workers) <= 0.8 * self.total_bytes, "the reserve was touched"

    def stop_worker(self, model: str) -> None:
        assert self.workers[model] in ("loading", "ready")
        assert not self.open_choices[model], "a model in use was stopped"
        assert not self.aside[model], "a model with paused requests was stopped"
        self.workers[model] = "stopping"

    def send(self, model: str, messages: Sequence[ToWorker]) -> None:
        assert self.workers[model] == "ready"
        held, aside = self.open_choices[model], self.aside[model]
        for message in messages:
            if isinstance(message, Start):
                held[message.request.id] = set(range(message.request.num_choices))
            elif isinstance(message, Pause):
                aside[message.id] = held.pop(message.id)
            elif isinstance(message, Resume):
                held[message.id] = aside.pop(message.id)
            elif isinstance(message, Cancel):
                assert (message.id in held) != (message.id in aside)
                held.pop(message.id, None)
                aside.pop(message.id, None)
            total = sum(len(choices) for choices in held.values())
            assert total <= PLACES + NUM_SPARE_CHOICES or len(held) == 1, "the worker was given too much"

    def publish(self, event: SystemEvent) -> None:
        if isinstance(event, RequestEnded):
            assert event.id not in self.ended, "a request ended twice"
            for held in [*self.open_choices.values(), *self.aside.values()]:
                held.pop(event.id, None)
        super().publish(event)


class SchedulerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        settings_ = SchedulerSettings(max_waiting=6, keep_alive_s=50.0, load_timeout_s=100.0)
        self.scheduler = Scheduler(settings_, self.world.total_bytes, self.world)
        self.now_s = 0.0
        self.let_in: list[str] = []
        self.asked: dict[str, GenerateRequest] = {}

    def with_worker(self, *states: str) -> list[str]:
        return [model for model, state in self.world.workers.items() if state in states]

    @rule(
        model=models,
        num_choices=st.integers(1, 4) | st.integers(1, 13),
        deadline_s=st.none() | st.integers(1, 30),
        priority=priorities,
        asker=callers,
    )
    def ask(self, model: str, num_choices: int, deadline_s: float | None, priority: Priority, asker: Caller) -> None:
        id_ = str(len(self.let_in))
        asked = request(id_, model, num_choices=num_choices, deadline_s=deadline_s, priority=priority)
        try:
            self.scheduler.on_request(asked, asker, self.now_s)
        except ApplianceError:
            assert asked.id not in self.world.ended
        else:
            self.let_in.append(asked.id)
            self.asked[asked.id] = asked

    @precondition(lambda self: self.let_in)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.scheduler.on_cancel(RequestId(data.draw(st.sampled_from(self.let_in))), self.now_s)

    @precondition(lambda self: self.with_worker("loading"))
    @rule(data=st.data(), succeeds=st.booleans())
    def end_of_load(self, data: st.DataObject, succeeds: bool) -> None:
        model = data.draw(st.sampled_from(self.with_worker("loading")))
        if succeeds:
            self.world.workers[model] = "ready"
            self.scheduler.on_loaded(model, traits(), SIZES[model], self.now_s)
        else:
            self.scheduler.on_load_failed(model, BackendError("no"), self.now_s)

    @precondition(lambda self: any(self.world.open_choices.values()))
    @rule(data=st.data())
    def finish_a_choice(self, data: st.DataObject) -> None:
        held = [(m, id_, c) for m, ids in self.world.open_choices.items() for id_, cs in ids.items() for c in cs]
        model, id_, choice = data.draw(st.sampled_from(held))
        choices = self.world.open_choices[model][id_]
        choices.discard(choice)
        if not choices:
            del self.world.open_choices[model][id_]
        self.scheduler.on_events([finished(id_, choice)], self.now_s)

    @precondition(lambda self: self.world.workers)
    @rule(data=st.data())
    def worker_exits(self, data: st.DataObject) -> None:
        self.exit(data.draw(st.sampled_from(self.with_worker("loading", "ready", "stopping"))))

    def exit(self, model: str) -> None:
        del self.world.workers[model]
        del self.world.open_choices[model]
        del self.world.aside[model]
        self.scheduler.on_worker_exit(model, "died", self.now_s)

    @rule(model=models, is_pinned=st.booleans())
    def pin(self, model: str, is_pinned: bool) -> None:
        self.scheduler.on_pin(model, is_pinned, self.now_s)

    @rule(model=models)
    def unload(self, model: str) -> None:
        try:
            self.scheduler.on_unload(model, self.now_s)
        except ApplianceError as error:
            assert error.status == 409

    @rule(model=models, stays=st.booleans())
    def load(self, model: str, stays: bool) -> None:
        try:
            self.scheduler.on_load(model, 1, self.now_s)
        except ApplianceError as error:
            assert error.status == 503
        if not stays:
            self.scheduler.on_load_abandoned(model, 1)

    @rule(seconds=st.integers(1, 60))
    def time_passes(self, seconds: int) -> None:
        until_s = self.now_s + seconds
        for _ in range(100):
            due_s = self.scheduler.next_due_s(self.now_s)
            if due_s is None or due_s > until_s:
                break
            self.now_s = max(self.now_s, due_s)
            self.scheduler.on_tick(self.now_s)
        else:
            raise AssertionError("time stands still: something is due again and again")
        self.now_s = until_s

    @invariant()
    def what_can_go_on_has_gone_on(self) -> None:
        for row in self.scheduler.status(self.now_s):
            if row.state == "ready" and row.num_waiting:
                assert self.world.open_choices[row.name], f"'{row.name}' idles though requests wait"

    @invariant()
    def whoever_is_next_has_no_room(self) -> None:
        for model in self.with_worker("ready"):
            ahead = [id_ for id_ in self.let_in if self.position(id_) == 1 and self.asked[id_].model == model]
            num_held = sum(len(choices) for choices in self.world.open_choices[model].values())
            for id_ in ahead:
                num_wanted = len(self.world.aside[model].get(RequestId(id_), ())) or self.asked[id_].num_choices
                assert num_held + num_wanted > PLACES + NUM_SPARE_CHOICES, f"request {id_} has room and waits"

    def position(self, id_: str) -> int | None:
        place = self.scheduler.queue_place(RequestId(id_), self.now_s)
        return place.position if place else None

    def teardown(self) -> None:
        self.scheduler.on_close(self.now_s)
        for model in list(self.world.workers):
            self.exit(model)
        assert not self.world.workers
        assert sorted(self.world.ended) == sorted(self.let_in)
        assert self.scheduler.num_begun == self.scheduler.num_waiting == 0


SchedulerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestInvariants = SchedulerMachine.TestCase
