"""One model as the scheduler sees it: its state, its worker's measurements, who waits for it and who runs on it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from appliance.core.admin import LoadedModelStatus
from appliance.core.events import ModelState
from appliance.core.messages import Stats
from appliance.core.plan import LoadPlan
from appliance.core.request import RequestId
from appliance.core.traits import ModelTraits
from appliance.errors import ApplianceError
from appliance.link.backoff import Backoff

from .claims import Claim, Demand, Places
from .fairness import Shares
from .order import in_order
from .placement import Placement
from .queue_place import QueuePlace, estimate_wait_s
from .residency import Resident, can_expire, expires_at_s

_DURATION_WEIGHT = 0.2


@dataclass(slots=True)
class ModelEntry:
    """A model that somebody asked for. `loaders` are the callers of an explicit load that still want it.

    `load_s` is how long its last load took, `mean_duration_s` how long a request has places, and `num_halvings` how
    often its context was halved because the device had too little memory. `keep_alive_s` is what callers asked for.
    `is_outdated`: the plan is for files that the name no longer means, so its worker gets nothing new to do.
    `holds_batch`: what can wait does, for as long as the machine is hot or lives on its battery.
    """

    plan: LoadPlan
    num_bytes: int
    state: ModelState = "stopped"
    reason: str = ""
    is_pinned: bool = False
    loaders: set[int] = field(default_factory=set)
    waiting: dict[RequestId, Placement] = field(default_factory=dict)
    running: dict[RequestId, Placement] = field(default_factory=dict)
    paused: dict[RequestId, Placement] = field(default_factory=dict)
    shares: Shares = field(default_factory=Shares)
    traits: ModelTraits | None = None
    stats: Stats | None = None
    load_ratio: float = 0.0
    load_s: float | None = None
    since_s: float = 0.0
    last_used_s: float = 0.0
    keep_alive_s: float | None = None
    mean_duration_s: float = 1.0
    backoff: Backoff = field(default_factory=Backoff)
    stop_error: ApplianceError | None = None
    last_error: ApplianceError | None = None
    num_halvings: int = 0
    is_outdated: bool = False
    holds_batch: bool = False

    @property
    def name(self) -> str:
        """Return the model's canonical name."""
        return self.plan.model

    @property
    def has_worker(self) -> bool:
        """Return whether a process exists for it."""
        return self.state in ("loading", "ready", "stopping")

    @property
    def is_in_use(self) -> bool:
        """Return whether requests run on it, are paused on it or wait for it."""
        return bool(self.running or self.paused or self.waiting)

    @property
    def begun(self) -> dict[RequestId, Placement]:
        """Return the requests that its worker knows."""
        return self.running | self.paused

    @property
    def places(self) -> Places:
        """Return what the worker takes, by its own word once it is ready."""
        limits = self.traits or self.plan
        return Places(max_step_sequences=limits.max_step_sequences, max_sequences=limits.max_sequences)

    def wants_worker(self, now_s: float) -> bool:
        """Return whether a worker is to be started now, if memory allows."""
        is_wanted = bool(self.waiting or self.loaders or self.is_pinned)
        return not self.has_worker and is_wanted and now_s >= self.backoff.retry_at_s

    def is_in_backoff(self, now_s: float) -> bool:
        """Return whether it failed lately and must not be tried yet."""
        return self.state == "failed" and now_s < self.backoff.retry_at_s

    def note_duration(self, duration_s: float) -> None:
        """Take one answered request into the running mean."""
        self.mean_duration_s += _DURATION_WEIGHT * (duration_s - self.mean_duration_s)

    def demand(self) -> Demand:
        """Return who may have its places: nobody new once its worker is outdated, no batch while those are held."""
        everyone = self._everyone()
        if self.is_outdated:
            everyone = replace(everyone, waiting=[])
        if self.holds_batch:
            everyone = replace(everyone, waiting=_urgent(everyone.waiting), paused=_urgent(everyone.paused))
        return everyone

    def _everyone(self) -> Demand:
        return Demand(
            waiting=[placement.as_claim() for placement in self.waiting.values()],
            paused=[placement.as_claim() for placement in self.paused.values()],
            running=[placement.as_claim() for placement in self.running.values()],
        )

    def queue_place(self, request_id: RequestId, now_s: float) -> QueuePlace | None:
        """Return where a request that waits or is paused stands in the queue, None for any other."""
        if request_id not in self.waiting and request_id not in self.paused:
            return None
        claims = [ranked.claim for ranked in in_order(self._everyone(), self.shares, now_s)]
        position = 1 + next(number for number, claim in enumerate(claims) if claim.id == request_id)
        load_wait_s = self._load_wait_s(now_s)
        if load_wait_s is None:
            return QueuePlace(position=position, estimated_wait_s=None)
        running = [(p.record.num_open_choices, p.total_served_s(now_s)) for p in self.running.values()]
        sizes = [claim.num_choices for claim in claims[:position]]
        wait_s = load_wait_s + estimate_wait_s(sizes, running, self.places, self.mean_duration_s)
        return QueuePlace(position=position, estimated_wait_s=wait_s)

    def _load_wait_s(self, now_s: float) -> float | None:
        """Return how long until it answers, as its last load took; None when it was never loaded."""
        if self.state == "ready" or self.load_s is None:
            return 0.0 if self.state == "ready" else None
        return max(0.0, self.load_s - (now_s - self.since_s)) if self.state == "loading" else self.load_s

    def as_resident(self) -> Resident:
        """Return what residency needs to know."""
        return Resident(
            name=self.name,
            state=self.state,
            num_bytes=self.num_bytes,
            is_pinned=self.is_pinned,
            is_busy=self.is_in_use,
            last_used_s=self.last_used_s,
            keep_alive_s=self.keep_alive_s,
        )

    def due_s(self, keep_alive_s: float, load_timeout_s: float, now_s: float) -> list[float]:
        """Return the moments at which time alone changes something."""
        placements = [*self.waiting.values(), *self.begun.values()]
        due = [p.deadline_at_s for p in placements if p.deadline_at_s is not None]
        if self.state == "ready" and (self.waiting or self.paused):
            rests = (p.as_claim().rests_until_s for p in self.running.values())
            due += [rest_s for rest_s in rests if rest_s > now_s]
        if self.state == "loading":
            due.append(self.since_s + load_timeout_s)
        elif self.is_in_backoff(now_s) and (self.waiting or self.is_pinned):
            due.append(self.backoff.retry_at_s)
        elif can_expire(self.as_resident()):
            due.append(expires_at_s(self.as_resident(), keep_alive_s))
        return due

    def status(self, keep_alive_s: float, now_s: float) -> LoadedModelStatus:
        """Return the row that operators see."""
        resident = self.as_resident()
        expires_s = expires_at_s(resident, keep_alive_s) if can_expire(resident) else float("inf")
        return LoadedModelStatus(
            name=self.name,
            state=self.state,
            reason=self.reason,
            backend=self.plan.backend,
            device=self.traits.placed.device if self.traits else self.plan.device,
            gpu_layers=self.traits.placed.gpu_layers if self.traits else self.plan.gpu_layers,
            device_problem=self.traits.placed.problem if self.traits else self.plan.device_problem,
            is_pinned=self.is_pinned,
            memory_bytes=self.num_bytes if self.has_worker else 0,
            context_tokens=self.traits.max_context_tokens if self.traits else self.plan.context_tokens,
            num_running=len(self.running),
            num_waiting=len(self.waiting) + len(self.paused),
            tokens_per_s=self.stats.tokens_per_s if self.stats and self.running else 0.0,
            kv_used_tokens=self.stats.kv_used_tokens if self.stats else 0,
            kv_capacity_tokens=self.traits.kv_capacity_tokens if self.traits else self.plan.kv_capacity_tokens,
            expires_in_s=max(0.0, expires_s - now_s) if expires_s != float("inf") else None,
            load_ratio=self.load_ratio if self.state == "loading" else None,
            choice=next(iter(self.plan.reasons), ""),
            prefix_memory_bytes=self.stats.snapshot_memory_bytes if self.stats else 0,
            max_prefix_memory_bytes=self.plan.snapshots.memory_bytes,
            prefix_disk_bytes=self.stats.snapshot_disk_bytes if self.stats else 0,
        )


def _urgent(claims: Sequence[Claim]) -> list[Claim]:
    return [claim for claim in claims if claim.priority != "batch"]
