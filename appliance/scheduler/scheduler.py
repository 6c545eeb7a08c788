"""The state machine: which request goes where and when. Told what happened; acts through `Effects`.

It never awaits, holds no lock and reads no clock: every call takes `now_s` and leaves the machine settled. All calls
come from one task.
"""

from collections.abc import Iterable, Sequence

import msgspec

from appliance.core.admin import LoadedModelStatus
from appliance.core.caller import Caller
from appliance.core.easing import Easing
from appliance.core.events import Accepted, Delta, Failed, Finished, MachineEased, MemoryRanShort, Outcome, RequestEvent
from appliance.core.messages import Cancel, Pause, Resume, Stats, ToWorker
from appliance.core.request import Request, RequestId
from appliance.core.traits import ModelTraits
from appliance.core.units import format_seconds
from appliance.errors import (
    ApplianceError,
    BackendError,
    Conflict,
    Draining,
    ModelLoading,
    OutOfDeviceMemory,
    from_info,
)
from appliance.link.backoff import Backoff
from appliance.settings import SchedulerSettings

from . import refusals
from .admission import decide
from .dispatch import hand_over
from .effects import Effects
from .entry import ModelEntry
from .fairness import estimate_tokens
from .fleet import Fleet
from .placement import Placement
from .queue_place import QueuePlace
from .records import RequestRecord, measured


class Scheduler:
    """Owns every queue; with its fleet, the state of every model."""

    def __init__(self, settings: SchedulerSettings, memory_total_bytes: int, effects: Effects) -> None:
        self._settings = settings
        self._effects = effects
        self._fleet = Fleet(settings, memory_total_bytes, effects)
        self._requests: dict[RequestId, Placement] = {}
        self._is_draining = False

    # What callers ask

    def on_request(self, request: Request, caller: Caller, now_s: float) -> None:
        """Let a request in. Raises: the error with which it is turned away."""
        self._refuse_while_draining()
        entry = self._fleet.ask(request.resident)
        record = RequestRecord(request=request, caller=caller, arrived_s=now_s)
        placement = Placement(record=record, cost_tokens=estimate_tokens(request), since_s=now_s)
        self._check(entry, placement, now_s)
        self._requests[request.id] = entry.waiting[request.id] = placement
        if request.keep_alive_s is not None:
            entry.keep_alive_s = request.keep_alive_s
        entry.shares.enter(caller.id)
        self._effects.publish(record.queued())
        self._settle(now_s)

    def on_cancel(self, request_id: RequestId, now_s: float, error: ApplianceError | None = None) -> None:
        """Forget a request wherever it stands, with what its caller is told if it was not the caller who gave it up.

        One that is over already stays as it is.
        """
        if placement := self._requests.get(request_id):
            self._call_off(placement)
            self._end(placement, "cancelled", now_s, error)
            self._settle(now_s)

    def on_load(self, model: str, loader: int, now_s: float) -> None:
        """Load a model because an operator asks, whatever its back-off. Raises: ModelNotFound, DoesNotFit, Draining."""
        self._refuse_while_draining()
        entry = self._fleet.ask(model)
        if self.is_loaded(model):
            return
        if error := self._fleet.refusal(entry):
            raise error
        entry.loaders.add(loader)
        entry.backoff = Backoff()
        self._settle(now_s)

    def on_load_abandoned(self, model: str, loader: int) -> None:
        """Note that an operator no longer waits for the load; one that has begun goes on."""
        if entry := self._fleet.get(model):
            entry.loaders.discard(loader)

    def on_unload(self, model: str, now_s: float) -> None:
        """Stop a model's worker. Raises: Conflict, while the model is in use, loading for someone, or pinned."""
        entry = self._fleet.get(model)
        if entry is None:
            return
        if entry.is_in_use or entry.loaders:
            raise Conflict(f"model '{model}' is in use; unload it when its requests have ended")
        if entry.is_pinned:
            raise Conflict(f"model '{model}' is pinned; let it go first: appliance models pin {model} --off")
        if entry.state in ("loading", "ready"):
            self._fleet.stop(entry, "unloaded by an operator", now_s)
        elif entry.state == "failed":
            entry.backoff = Backoff()
            self._fleet.stopped(entry, "unloaded by an operator", now_s)

    def on_pin(self, model: str, is_pinned: bool, now_s: float) -> None:
        """Load a model and keep it loaded, or let it go like any other. Raises: ModelNotFound."""
        entry = self._fleet.ask(model) if is_pinned else self._fleet.get(model)
        if entry is not None:
            entry.is_pinned = is_pinned
            self._settle(now_s)

    def on_keep(self, model: str, keep_alive_s: float, now_s: float) -> None:
        """Let an idle model stay for so long instead of as the settings say, until it is stopped; 0: not at all.

        It still leaves when another needs its memory. Raises: ModelNotFound.
        """
        self._fleet.ask(model).keep_alive_s = keep_alive_s
        self._fleet.stop_expired(now_s)

    def on_renew(self, model: str, now_s: float) -> None:
        """Take in that a name means other files: what runs ends on the old ones, all else waits for the new."""
        entry = self._fleet.get(model)
        if entry is not None:
            entry.is_outdated = True
            entry.backoff = Backoff()
            self._settle(now_s)

    def on_drain(self, now_s: float) -> None:
        """Let nothing in any more; what runs may end, what waits is told to go elsewhere."""
        self._is_draining = True
        for entry in self._fleet:
            self._fail_all(entry.waiting, Draining("the appliance is stopping"), now_s)

    def on_close(self, now_s: float) -> None:
        """End what still runs and stop every worker."""
        self.on_drain(now_s)
        for entry in self._fleet:
            self._fail_all(entry.begun, Draining("the appliance stopped before the answer was complete"), now_s)
            if entry.state in ("loading", "ready"):
                self._fleet.stop(entry, "the appliance is stopping", now_s)

    def on_easing(self, easing: Easing, now_s: float) -> None:
        """Take in how hard the machine may work from now on."""
        self._fleet.ease(easing)
        self._effects.publish(MachineEased(easing=easing))
        self._settle(now_s)

    # What workers report

    def on_progress(self, model: str, ratio: float) -> None:
        """Note how far a load is."""
        self._fleet[model].load_ratio = ratio

    def on_loaded(self, model: str, traits: ModelTraits, memory_bytes: int, now_s: float) -> None:
        """Take a model into service, unless its load was given up meanwhile."""
        entry = self._fleet[model]
        if entry.state != "loading":
            return
        self._fleet.loaded(entry, traits, memory_bytes, now_s)
        for placement in list(entry.waiting.values()):
            if error := refusals.too_many_choices(placement.record.request.num_choices, entry.places):
                self._end(placement, "error", now_s, error)
        self._settle(now_s)

    def on_load_failed(self, model: str, error: ApplianceError, now_s: float) -> None:
        """Give a load up: whoever waited for it is told why. Where memory ran out, a smaller context is tried."""
        entry = self._fleet[model]
        if entry.state != "loading":
            return
        measure = self._fleet.shrink(entry) if isinstance(error, OutOfDeviceMemory) else None
        if measure is not None:
            self._effects.publish(MemoryRanShort(model=model, measure=measure))
            self._fleet.stop(entry, error.message, now_s)
            return
        self._fail_all(entry.waiting, error, now_s)
        self._fleet.stop(entry, error.message, now_s, error)

    def on_memory_pressure(self, model: str, measure: str | None, now_s: float) -> None:
        """Take in that a worker's device has no memory left: idle models go, and what was given up is told.

        Without a measure the worker ends, and the next load has a smaller context.
        """
        entry = self._fleet[model]
        if measure is None:
            measure = self._fleet.shrink(entry)
        if measure is not None:
            self._effects.publish(MemoryRanShort(model=model, measure=measure))
        self._fleet.relieve(entry, now_s)

    def on_worker_exit(self, model: str, cause: str, now_s: float) -> None:
        """Take in that a model's process is gone. `cause` continues "its worker …"."""
        entry = self._fleet[model]
        if entry.state == "ready":
            message = f"model '{model}' stopped in the middle of the answer: its worker {cause}; send the request again"
            error: ApplianceError = BackendError(message)
            self._fail_all(entry.begun, error, now_s)
            self._fleet.failed(entry, error, f"its worker {cause}", now_s, healthy_s=now_s - entry.since_s)
        elif entry.state == "loading":
            error = BackendError(f"model '{model}' could not be loaded: its worker {cause}")
            self._fail_all(entry.waiting, error, now_s)
            self._fleet.failed(entry, error, error.message, now_s, healthy_s=0.0)
        elif entry.stop_error is not None:
            self._fleet.failed(entry, entry.stop_error, entry.reason, now_s, healthy_s=0.0)
        else:
            self._fleet.stopped(entry, entry.reason, now_s)
        self._settle(now_s)

    def on_stats(self, model: str, stats: Stats) -> None:
        """Note what a worker measured of itself."""
        entry = self._fleet[model]
        entry.stats = stats
        self._fleet.measure(entry, stats.memory_bytes)
        if entry.traits is not None:
            self._effects.publish(measured(model, stats, entry.traits.kv_capacity_tokens))

    def on_events(self, events: Sequence[RequestEvent], now_s: float) -> bool:
        """Take in what one step of a worker brought; events of forgotten requests are dropped.

        Returns whether a place became free: most steps only bring tokens, and change nothing that is planned.
        """
        has_free_places = False
        for event in events:
            placement = self._requests.get(event.id)
            if placement is None:
                continue
            record = placement.record
            if isinstance(event, Delta):
                if event.num_tokens:
                    self._effects.publish(record.extend(event, now_s))
            elif isinstance(event, Accepted):
                self._effects.publish(record.accept(event, now_s))
            elif isinstance(event, Finished):
                has_free_places = True
                self._finish_choice(placement, event, now_s)
            elif isinstance(event, Failed):
                has_free_places = True
                self._end(placement, "error", now_s, from_info(event.error))
        if has_free_places:
            self._settle(now_s)
        return has_free_places

    # Time

    def on_tick(self, now_s: float) -> None:
        """Do what is due: deadlines, loads that take too long, models that nobody used, back-offs that are over."""
        for entry in self._fleet:
            self._end_late(entry, now_s)
            if self._fleet.is_overdue(entry, now_s):
                limit = format_seconds(self._settings.load_timeout_s)
                self.on_load_failed(entry.name, BackendError(f"model '{entry.name}' was not loaded in {limit}"), now_s)
        self._fleet.stop_expired(now_s)
        self._settle(now_s)

    def next_due_s(self, now_s: float) -> float | None:
        """Return when `on_tick` has something to do, None when nothing will happen by itself."""
        return self._fleet.next_due_s(now_s)

    # What can be asked

    @property
    def num_begun(self) -> int:
        """Return how many requests a worker knows, running or paused."""
        return sum(len(entry.begun) for entry in self._fleet)

    @property
    def num_waiting(self) -> int:
        """Return how many requests that have not begun wait for a place or for their model."""
        return sum(len(entry.waiting) for entry in self._fleet)

    def queue_place(self, request_id: RequestId, now_s: float) -> QueuePlace | None:
        """Return where a request that waits or is paused stands in its model's queue, None for any other."""
        placement = self._requests.get(request_id)
        if placement is None:
            return None
        return self._fleet[placement.record.request.resident].queue_place(request_id, now_s)

    def last_error(self, model: str) -> ApplianceError | None:
        """Return why the model's last load or worker failed, None since it was last loaded."""
        entry = self._fleet.get(model)
        return entry.last_error if entry else None

    def is_loaded(self, model: str) -> bool:
        """Return whether the model answers now."""
        entry = self._fleet.get(model)
        return entry is not None and entry.state == "ready" and not entry.is_outdated

    def is_stopping(self, model: str) -> bool:
        """Return whether the model's worker is about to end."""
        entry = self._fleet.get(model)
        return entry is not None and entry.state == "stopping"

    def status(self, now_s: float) -> tuple[LoadedModelStatus, ...]:
        """Return a row for each model that has a worker, waits for one, or failed."""
        return self._fleet.status(now_s)

    # Letting in and handing over

    def _refuse_while_draining(self) -> None:
        if self._is_draining:
            raise Draining("the appliance is stopping")

    def _check(self, entry: ModelEntry, placement: Placement, now_s: float) -> None:
        """Raise what turns a request away before it waits."""
        if too_many := refusals.too_many_choices(placement.record.request.num_choices, entry.places):
            raise too_many
        if entry.is_in_backoff(now_s) and entry.last_error is not None:
            raise ModelLoading(
                f"model '{entry.name}' failed lately and is started again later: {entry.last_error.message}",
                retry_after_s=entry.backoff.retry_at_s - now_s,
            )
        if does_not_fit := self._fleet.refusal(entry):
            raise does_not_fit
        if self.num_waiting >= self._settings.max_waiting and not self._has_place(entry, placement, now_s):
            raise refusals.queue_full(self.num_waiting, entry.mean_duration_s, entry.places)

    def _has_place(self, entry: ModelEntry, placement: Placement, now_s: float) -> bool:
        if entry.state != "ready" or entry.is_outdated:
            return False
        demand, claim = entry.demand(), placement.as_claim()
        demand = msgspec.structs.replace(demand, waiting=[*demand.waiting, claim])
        return claim.id in {admitted.id for admitted in decide(demand, entry.shares, entry.places, now_s).starts}

    def _settle(self, now_s: float) -> None:
        """Hand over what has a place, and bring up what is wanted: the model whose request waits longest first.

        While draining, only what is paused goes on.
        """
        for entry in sorted(self._fleet, key=_oldest_request_s):
            if entry.is_outdated and not entry.begun and entry.state in ("loading", "ready"):
                self._fleet.stop(entry, "its name means other files now", now_s)
            elif entry.state == "ready" and (entry.waiting or entry.paused):
                if frame := hand_over(entry, now_s):
                    self._effects.send(entry.name, frame)
                    self._publish_pauses(frame)
            elif self._is_draining:
                continue
            elif entry.wants_worker(now_s) and (error := self._fleet.bring_up(entry, now_s)):
                self._fail_all(entry.waiting, error, now_s)
                self._fleet.given_up(entry, error, now_s)

    def _publish_pauses(self, frame: Sequence[ToWorker]) -> None:
        for message in frame:
            if isinstance(message, Pause | Resume):
                record = self._requests[message.id].record
                self._effects.publish(record.paused(isinstance(message, Pause)))

    # Ends of requests

    def _finish_choice(self, placement: Placement, event: Finished, now_s: float) -> None:
        record = placement.record
        record.finish(event)
        if record.num_open_choices == 0:
            entry = self._fleet[record.request.resident]
            is_running = record.request.id in entry.running
            entry.note_duration(placement.total_served_s(now_s) if is_running else placement.served_s)
            self._end(placement, record.outcome, now_s)

    def _end_late(self, entry: ModelEntry, now_s: float) -> None:
        """End what is past its deadline, wherever it stands."""
        for placement in [p for p in entry.waiting.values() if p.is_late(now_s)]:
            error = refusals.waited_too_long(now_s - placement.record.arrived_s, entry.state)
            self._end(placement, "error", now_s, error)
        for placement in [p for p in entry.begun.values() if p.is_late(now_s)]:
            record = placement.record
            self._call_off(placement)
            late = refusals.ran_too_long(record.request.deadline_s or 0.0, record.num_written_tokens)
            self._end(placement, "error", now_s, late)

    def _call_off(self, placement: Placement) -> None:
        """Tell the worker to forget a request, if it knows it."""
        request = placement.record.request
        if request.id in self._fleet[request.resident].begun:
            self._effects.send(request.resident, [Cancel(id=request.id)])

    def _fail_all(self, ids: Iterable[RequestId], error: ApplianceError, now_s: float) -> None:
        for request_id in list(ids):
            self._end(self._requests[request_id], "error", now_s, error)

    def _end(self, placement: Placement, outcome: Outcome, now_s: float, error: ApplianceError | None = None) -> None:
        record, request = placement.record, placement.record.request
        entry = self._fleet[request.resident]
        del self._requests[request.id]
        for stage in (entry.waiting, entry.running, entry.paused):
            stage.pop(request.id, None)
        entry.shares.leave(record.caller.id, placement.weight, record.used_tokens)
        entry.last_used_s = now_s
        if error is not None:
            self._effects.fail(request.id, error)
        self._effects.publish(record.ended(outcome, now_s, error.message if error else None))


def _oldest_request_s(entry: ModelEntry) -> float:
    return min((p.record.arrived_s for p in entry.waiting.values()), default=float("inf"))
