"""A scheduler on a recorder, with a clock that moves only when told."""

from typing import Any

from appliance.core.caller import LOCAL, Caller
from appliance.core.easing import Easing
from appliance.core.events import RequestEvent
from appliance.core.request import GenerateRequest, Request
from appliance.errors import ApplianceError, BackendError
from appliance.scheduler.scheduler import Scheduler
from appliance.settings import SchedulerSettings
from tests.unit.scheduler.builders import GIB, finished, request, traits
from tests.unit.scheduler.recorder import Recorder


class Bench:
    """What a test says happens, and what the recorder saw."""

    def __init__(self, sizes: dict[str, int] | None = None, **settings: Any) -> None:
        self.effects = Recorder(sizes)
        self.scheduler = Scheduler(SchedulerSettings(**settings), self.effects.total_bytes, self.effects)
        self.now_s = 1000.0

    def ask(self, *requests: Request | str, caller: Caller = LOCAL) -> None:
        for item in requests:
            asked = request(item) if isinstance(item, str) else item
            self.scheduler.on_request(asked, caller, self.now_s)

    def refused(self, asked: GenerateRequest | str) -> ApplianceError:
        try:
            self.ask(asked)
        except ApplianceError as error:
            return error
        raise AssertionError("the request was let in")

    def position(self, id_: str) -> int | None:
        place = self.scheduler.queue_place(request(id_).id, self.now_s)
        return None if place is None else place.position

    def cancel(self, id_: str) -> None:
        self.scheduler.on_cancel(request(id_).id, self.now_s)

    def loaded(self, model: str = "a", memory_bytes: int = GIB, **limits: int) -> None:
        self.scheduler.on_loaded(model, traits(**limits), memory_bytes, self.now_s)

    def ready(self, *models: str) -> None:
        """Bring models into service for a request that ends at once."""
        for model in models:
            self.ask(request(f"warm-{model}", model))
            self.loaded(model, self.effects.sizes[model])
            self.events(finished(f"warm-{model}"))

    def load_failed(self, model: str = "a", message: str = "not a model file") -> None:
        self.scheduler.on_load_failed(model, BackendError(message), self.now_s)
        self.exit(model)

    def exit(self, model: str = "a", cause: str = "exited with code 1") -> None:
        self.scheduler.on_worker_exit(model, cause, self.now_s)

    def events(self, *events: RequestEvent) -> None:
        self.scheduler.on_events(events, self.now_s)

    def ease(self, easing: Easing) -> None:
        self.scheduler.on_easing(easing, self.now_s)

    def tick_at(self, now_s: float) -> None:
        self.now_s = now_s
        self.scheduler.on_tick(now_s)

    def tick_when_due(self) -> None:
        due_s = self.scheduler.next_due_s(self.now_s)
        assert due_s is not None, "nothing is due"
        self.tick_at(due_s)

    @property
    def due_s(self) -> float | None:
        return self.scheduler.next_due_s(self.now_s)

    def state(self, model: str = "a") -> str:
        return next((row.state for row in self.scheduler.status(self.now_s) if row.name == model), "stopped")
