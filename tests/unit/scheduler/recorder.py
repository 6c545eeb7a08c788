"""A fake of the scheduler's effects that records calls and runs no process."""

from collections.abc import Sequence
from typing import TypeVar

from appliance.core.events import ModelStateChanged, RequestEnded, SystemEvent
from appliance.core.messages import Cancel, Pause, Resume, Start, ToWorker
from appliance.core.plan import LoadPlan
from appliance.core.request import RequestId
from appliance.errors import ApplianceError, ModelNotFound
from tests.unit.scheduler.builders import GIB, plan

Event = TypeVar("Event", bound=SystemEvent)


class Recorder:
    """Implements `Effects` on a machine of 10 GiB on which each model needs what `sizes` says."""

    def __init__(self, sizes: dict[str, int] | None = None, total_bytes: int = 10 * GIB) -> None:
        self.sizes = sizes or {"a": GIB, "b": GIB}
        self.total_bytes = total_bytes
        self.started: list[str] = []
        self.plans: list[LoadPlan] = []
        self.stopped: list[str] = []
        self.sent: list[tuple[str, ToWorker]] = []
        self.frames: list[list[ToWorker]] = []
        self.errors: dict[RequestId, ApplianceError] = {}
        self.events: list[SystemEvent] = []

    def plan(self, model: str) -> LoadPlan:
        if model not in self.sizes:
            raise ModelNotFound(f"model '{model}' is not installed")
        return plan(model, self.sizes[model])

    def available_memory_bytes(self) -> int:
        return self.total_bytes

    def start_worker(self, plan: LoadPlan) -> None:
        self.started.append(plan.model)
        self.plans.append(plan)

    def stop_worker(self, model: str) -> None:
        self.stopped.append(model)

    def send(self, model: str, messages: Sequence[ToWorker]) -> None:
        self.frames.append(list(messages))
        self.sent += [(model, message) for message in messages]

    def fail(self, request_id: RequestId, error: ApplianceError) -> None:
        assert request_id not in self.errors, "a request failed twice"
        self.errors[request_id] = error

    def publish(self, event: SystemEvent) -> None:
        self.events.append(event)

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def begun(self) -> list[str]:
        return [message.request.id for _, message in self.sent if isinstance(message, Start)]

    @property
    def cancelled(self) -> list[str]:
        return [message.id for _, message in self.sent if isinstance(message, Cancel)]

    @property
    def paused(self) -> list[str]:
        return [message.id for _, message in self.sent if isinstance(message, Pause)]

    @property
    def resumed(self) -> list[str]:
        return [message.id for _, message in self.sent if isinstance(message, Resume)]

    @property
    def ended(self) -> dict[str, str]:
        return {event.id: event.outcome for event in self.of(RequestEnded)}

    def states(self, model: str) -> list[str]:
        return [event.state for event in self.of(ModelStateChanged) if event.model == model]
