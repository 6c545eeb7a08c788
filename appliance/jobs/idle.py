"""When work for an idle machine may begin: after a while without traffic, and while nothing would make it slow."""

from collections.abc import Callable
from dataclasses import dataclass

from appliance.core.easing import Easing
from appliance.core.jobs import Job, JobId
from appliance.core.units import format_bytes

from .traffic import Traffic

QUIET_S = 30.0
"""So long nobody may have asked for anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """How the machine is asked what it does. `needed_bytes` is the memory that a job takes."""

    is_busy: Callable[[], bool]
    easing: Callable[[], Easing]
    free_bytes: Callable[[], int]
    needed_bytes: Callable[[Job], int]


class IdleGate:
    """Decides for each job. Every method runs on the event loop."""

    def __init__(self, traffic: Traffic, conditions: Conditions) -> None:
        self._traffic = traffic
        self._conditions = conditions
        self._hurried: set[JobId] = set()

    def hurry(self, job: JobId) -> None:
        """Let a job that somebody waits for begin as soon as nothing runs."""
        self._hurried.add(job)

    def is_quiet(self) -> bool:
        """Return whether nobody has needed the machine for a while, and it may work with full force."""
        return self._disturbance() is None and self._traffic.quiet_s() >= QUIET_S

    def allows(self, job: Job) -> bool:
        """Return whether a job may begin."""
        return self.obstacle(job) is None

    def obstacle(self, job: Job) -> str | None:
        """Return what a job waits for, None where it may begin."""
        if disturbance := self._disturbance():
            return disturbance
        needed_bytes, free_bytes = self._conditions.needed_bytes(job), self._conditions.free_bytes()
        if needed_bytes > free_bytes:
            return f"{format_bytes(needed_bytes)} of memory; {format_bytes(max(0, free_bytes))} may be used"
        if job.id in self._hurried or self._traffic.quiet_s() >= QUIET_S:
            return None
        return f"{QUIET_S:.0f} s in which nobody asks for anything"

    def _disturbance(self) -> str | None:
        if self._conditions.is_busy():
            self._traffic.note()
            return "the answers under way"
        easing = self._conditions.easing()
        return None if easing.is_full else f"the machine to work with full force: {easing.reason}"
