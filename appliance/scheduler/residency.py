"""Which models stay in memory: whether a model fits, and what has to leave for it. Pure: no clock, no process."""

from collections.abc import Sequence

import msgspec

from appliance.core.events import ModelState
from appliance.core.units import format_bytes
from appliance.errors import DoesNotFit


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """The machine's memory at this moment, and the share of it that is kept free for everything else."""

    total_bytes: int
    available_bytes: int
    reserve_ratio: float


class Resident(msgspec.Struct, frozen=True, kw_only=True):
    """A model that has a worker. `num_bytes` was measured once it is ready, estimated before.

    `keep_alive_s` is what callers asked for, None where the settings say it.
    """

    name: str
    state: ModelState
    num_bytes: int
    is_pinned: bool
    is_busy: bool
    last_used_s: float
    keep_alive_s: float | None = None


class Fits(msgspec.Struct, frozen=True):
    """The model can be loaded now."""


class Evict(msgspec.Struct, frozen=True):
    """The model can be loaded once these idle models are gone."""

    names: tuple[str, ...]


class Wait(msgspec.Struct, frozen=True):
    """The model can be loaded later, without anybody's help."""

    reason: str


class Refuse(msgspec.Struct, frozen=True):
    """The model cannot be loaded as things are."""

    error: DoesNotFit


Decision = Fits | Evict | Wait | Refuse


def decide(name: str, needed_bytes: int, memory: Memory, residents: Sequence[Resident]) -> Decision:
    """Return what has to happen so that `name`, which is not resident, can be loaded."""
    missing_bytes = needed_bytes - room_bytes(memory, residents)
    if missing_bytes <= 0:
        return Fits()
    missing_bytes -= sum(r.num_bytes for r in residents if r.state == "stopping")
    if missing_bytes <= 0:
        return Wait("memory is being freed")
    idle = [r for r in residents if r.state == "ready" and not r.is_pinned and not r.is_busy]
    if sum(r.num_bytes for r in idle) >= missing_bytes:
        return Evict(_fewest(idle, missing_bytes))
    later = [r for r in residents if r.state == "loading" or (r.state == "ready" and r.is_busy and not r.is_pinned)]
    if sum(r.num_bytes for r in [*idle, *later]) >= missing_bytes:
        return Wait(f"memory is in use by {_names(later)}")
    return Refuse(_refusal(name, needed_bytes, memory, residents))


def room_bytes(memory: Memory, residents: Sequence[Resident]) -> int:
    """Return how much a new model may take; negative when the reserve is already touched.

    Two limits, since neither sees everything: what the system calls available counts the pages of a mapped model
    file as free, and what our models hold says nothing of other programs. A model that is loading has hardly shown
    in the former yet.
    """
    reserve_bytes = round(memory.total_bytes * memory.reserve_ratio)
    loading_bytes = sum(r.num_bytes for r in residents if r.state == "loading")
    held_bytes = sum(r.num_bytes for r in residents)
    return min(memory.available_bytes - loading_bytes, memory.total_bytes - held_bytes) - reserve_bytes


def expired(residents: Sequence[Resident], keep_alive_s: float, now_s: float) -> tuple[str, ...]:
    """Return the models that nobody has used for their own or this time, and that may go."""
    return tuple(r.name for r in residents if can_expire(r) and now_s >= expires_at_s(r, keep_alive_s))


def expires_at_s(resident: Resident, keep_alive_s: float) -> float:
    """Return when the model leaves if nobody uses it; `keep_alive_s` is the settings'."""
    return resident.last_used_s + (keep_alive_s if resident.keep_alive_s is None else resident.keep_alive_s)


def can_expire(resident: Resident) -> bool:
    """Return whether the model leaves by itself once nobody has used it for long enough."""
    return resident.state == "ready" and not resident.is_pinned and not resident.is_busy


def _fewest(idle: Sequence[Resident], missing_bytes: int) -> tuple[str, ...]:
    """Return the least recently used models that free enough, without those that the others make needless."""
    chosen: list[Resident] = []
    freed_bytes = 0
    for resident in sorted(idle, key=lambda r: r.last_used_s):
        if freed_bytes >= missing_bytes:
            break
        chosen.append(resident)
        freed_bytes += resident.num_bytes
    for resident in reversed(chosen.copy()):
        if freed_bytes - resident.num_bytes >= missing_bytes:
            chosen.remove(resident)
            freed_bytes -= resident.num_bytes
    return tuple(r.name for r in chosen)


def _refusal(name: str, needed_bytes: int, memory: Memory, residents: Sequence[Resident]) -> DoesNotFit:
    evictable = [r for r in residents if not r.is_pinned]
    free_bytes = max(0, room_bytes(memory, residents) + sum(r.num_bytes for r in evictable))
    pinned = [r for r in residents if r.is_pinned]
    helps = free_bytes + sum(r.num_bytes for r in pinned) >= needed_bytes
    if pinned and helps:
        advice = f"unpin and unload {_names(pinned)}"
    else:
        advice = "choose a smaller quantization or model, or a smaller engine.kv_capacity_tokens"
    return DoesNotFit(
        f"model '{name}' needs {format_bytes(needed_bytes)}, {format_bytes(free_bytes)} can be freed for it "
        f"({memory.reserve_ratio:.0%} of {format_bytes(memory.total_bytes)} is kept free); {advice}"
    )


def _names(residents: Sequence[Resident]) -> str:
    return ", ".join(f"'{r.name}'" for r in residents)
