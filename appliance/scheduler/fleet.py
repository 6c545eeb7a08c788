"""The models and their workers: states, memory, back-off, keep-alive. Knows who waits and runs, but not in what order.

Part of the scheduler, under the same rules: no await, no lock, no clock.
"""

from collections.abc import Iterator

from appliance.core.admin import LoadedModelStatus
from appliance.core.devices import LoadedDevice
from appliance.core.easing import FULL, Easing
from appliance.core.events import ModelPlaced, ModelState, ModelStateChanged
from appliance.core.messages import Budget
from appliance.core.plan import LoadPlan
from appliance.core.traits import ModelTraits
from appliance.core.units import format_seconds
from appliance.errors import ApplianceError, DoesNotFit
from appliance.settings import SchedulerSettings

from . import residency
from .effects import Effects
from .entry import ModelEntry
from .residency import can_expire
from .shrinking import can_shrink, shrunk


class Fleet:
    """Owns the state of every model that somebody asked for."""

    def __init__(self, settings: SchedulerSettings, memory_total_bytes: int, effects: Effects) -> None:
        self._settings = settings
        self._memory_total_bytes = memory_total_bytes
        self._effects = effects
        self._entries: dict[str, ModelEntry] = {}
        self._measured_bytes: dict[tuple[str, str, int], int] = {}
        self.easing = FULL
        """How hard the machine may work now."""

    def __iter__(self) -> Iterator[ModelEntry]:
        """Yield the models in the order in which they were first asked for."""
        return iter(self._entries.values())

    def __getitem__(self, model: str) -> ModelEntry:
        """Return the entry of a model that was asked for before."""
        return self._entries[model]

    def get(self, model: str) -> ModelEntry | None:
        """Return the model's entry if somebody asked for it before."""
        return self._entries.get(model)

    def ask(self, model: str) -> ModelEntry:
        """Return the model's entry, with a fresh plan unless a worker runs the old one. Raises: what `plan` raises."""
        entry = self._entries.get(model)
        if entry is not None and entry.has_worker:
            return entry
        plan = self._effects.plan(model)
        if entry is None:
            entry = self._entries[model] = ModelEntry(plan=plan, num_bytes=0, holds_batch=self.easing.holds_batch)
        self._replan(entry, plan)
        return entry

    def _replan(self, entry: ModelEntry, plan: LoadPlan) -> None:
        if entry.is_outdated:
            entry.is_outdated, entry.num_halvings = False, 0
        entry.plan = shrunk(plan, entry.num_halvings)
        entry.num_bytes = self._measured_bytes.get(_plan_key(plan), plan.estimated_bytes)

    # Memory

    def refusal(self, entry: ModelEntry) -> DoesNotFit | None:
        """Return why the model cannot be loaded as things are, None when it is or could be."""
        if entry.has_worker:
            return None
        decision = self._decide(entry)
        return decision.error if isinstance(decision, residency.Refuse) else None

    def measure(self, entry: ModelEntry, memory_bytes: int) -> None:
        """Put the worker's largest memory so far in place of the estimate, now and for the next load."""
        key = _plan_key(entry.plan)
        self._measured_bytes[key] = entry.num_bytes = max(memory_bytes, self._measured_bytes.get(key, 0))

    def relieve(self, entry: ModelEntry, now_s: float) -> None:
        """Stop every idle model but this one, whose device has run out of memory."""
        for other in self:
            if other is not entry and can_expire(other.as_resident()):
                self.stop(other, f"unloaded: '{entry.name}' ran out of memory", now_s)

    def shrink(self, entry: ModelEntry) -> str | None:
        """Let the next load have half the context; return what that means, None where none smaller is left to try."""
        if not can_shrink(entry.plan):
            return None
        entry.num_halvings += 1
        entry.plan = shrunk(entry.plan, 1)
        return f"its context is {entry.plan.context_tokens} tokens from now on"

    def _decide(self, entry: ModelEntry) -> residency.Decision:
        memory = residency.Memory(
            total_bytes=self._memory_total_bytes,
            available_bytes=self._effects.available_memory_bytes(),
            reserve_ratio=self._settings.memory_reserve_ratio,
        )
        return residency.decide(entry.name, entry.num_bytes, memory, self._residents())

    def _residents(self) -> list[residency.Resident]:
        return [entry.as_resident() for entry in self if entry.has_worker]

    # Changes of state

    def bring_up(self, entry: ModelEntry, now_s: float) -> ApplianceError | None:
        """Start a worker, or make room for it, or wait. Returns why the model cannot be loaded, if so."""
        if entry.is_outdated:
            try:
                self._replan(entry, self._effects.plan(entry.name))
            except ApplianceError as error:
                return error
        decision = self._decide(entry)
        if isinstance(decision, residency.Refuse):
            return decision.error
        if isinstance(decision, residency.Evict):
            for name in decision.names:
                self.stop(self[name], f"evicted to make room for '{entry.name}'", now_s)
        elif isinstance(decision, residency.Wait):
            entry.reason = decision.reason
        else:
            entry.load_ratio = 0.0
            entry.stop_error = entry.traits = entry.stats = None
            self._enter(entry, "loading", "", now_s)
            self._effects.start_worker(entry.plan)
        return None

    def loaded(self, entry: ModelEntry, traits: ModelTraits, memory_bytes: int, now_s: float) -> None:
        """Take a model into service."""
        entry.traits = traits
        entry.last_error = None
        entry.last_used_s = now_s
        entry.load_s = now_s - entry.since_s
        entry.loaders.clear()
        self.measure(entry, memory_bytes)
        self._enter(entry, "ready", f"loaded in {format_seconds(entry.load_s)}", now_s)
        if traits.placed != LoadedDevice():
            self._effects.publish(ModelPlaced(model=entry.name, planned=entry.plan.device, placed=traits.placed))
        if not self.easing.is_full:
            self._effects.send(entry.name, [Budget(work_ratio=self.easing.work_ratio)])

    def stop(self, entry: ModelEntry, reason: str, now_s: float, error: ApplianceError | None = None) -> None:
        """End the model's worker; with `error`, as a failure."""
        entry.stop_error = error
        entry.keep_alive_s = None
        self._enter(entry, "stopping", reason, now_s)
        self._effects.stop_worker(entry.name)

    def stopped(self, entry: ModelEntry, reason: str, now_s: float) -> None:
        """Note that a model has no worker, as it was meant."""
        self._enter(entry, "stopped", reason, now_s)

    def failed(self, entry: ModelEntry, error: ApplianceError, reason: str, now_s: float, *, healthy_s: float) -> None:
        """Note that a worker failed after it had been ready for `healthy_s`: the next start has to wait."""
        entry.backoff = entry.backoff.after_failure(now_s, healthy_s)
        entry.last_error = error
        entry.loaders.clear()
        self._enter(entry, "failed", reason, now_s)

    def given_up(self, entry: ModelEntry, error: ApplianceError, now_s: float) -> None:
        """Note that a model does not fit, or is gone. No back-off: a pinned one is tried again on any change."""
        entry.last_error = error
        entry.loaders.clear()
        if entry.state != "failed" or entry.reason != error.message:
            self._enter(entry, "failed", error.message, now_s)

    def _enter(self, entry: ModelEntry, state: ModelState, reason: str, now_s: float) -> None:
        entry.state = state
        entry.reason = reason
        entry.since_s = now_s
        memory_bytes = entry.num_bytes if state == "ready" else None
        self._effects.publish(
            ModelStateChanged(model=entry.name, state=state, reason=reason, memory_bytes=memory_bytes)
        )

    # Heat and battery

    def ease(self, easing: Easing) -> None:
        """Let every worker use so much of what it could, and hold what can wait, or no more."""
        self.easing = easing
        for entry in self:
            entry.holds_batch = easing.holds_batch
            if entry.state == "ready":
                self._effects.send(entry.name, [Budget(work_ratio=easing.work_ratio)])

    # Time

    def is_overdue(self, entry: ModelEntry, now_s: float) -> bool:
        """Return whether the model loads for longer than it may."""
        return entry.state == "loading" and now_s >= entry.since_s + self._settings.load_timeout_s

    def stop_expired(self, now_s: float) -> None:
        """Stop the models that nobody has used for the keep-alive time."""
        for name in residency.expired(self._residents(), self._settings.keep_alive_s, now_s):
            self.stop(self[name], "nobody used it", now_s)

    def next_due_s(self, now_s: float) -> float | None:
        """Return the next moment at which time alone changes something, None when there is none."""
        keep_alive_s, load_timeout_s = self._settings.keep_alive_s, self._settings.load_timeout_s
        due = (moment for entry in self for moment in entry.due_s(keep_alive_s, load_timeout_s, now_s))
        return min((moment for moment in due if moment != float("inf")), default=None)

    def status(self, now_s: float) -> tuple[LoadedModelStatus, ...]:
        """Return a row for each model that has a worker, waits for one, or failed."""
        entries = (e for e in self if e.state != "stopped" or e.is_in_use or e.is_pinned)
        return tuple(entry.status(self._settings.keep_alive_s, now_s) for entry in entries)


def _plan_key(plan: LoadPlan) -> tuple[str, str, int]:
    """Return what a measured size is valid for: these bytes, run so, with so large a cache."""
    return plan.artefact.digest, plan.backend, plan.kv_capacity_tokens
