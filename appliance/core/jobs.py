"""Durable work: what a job is, what its kinds are, and what a job's child process and the daemon say to each other."""

from collections.abc import Callable
from typing import Literal, NewType, TypeAlias

import msgspec

from .admin import ModelLoss, Problem
from .events import ErrorInfo, JobState

JobId = NewType("JobId", str)
JsonObject: TypeAlias = dict[str, object]
"""A JSON object whose form only its own kind of job knows."""

Lane = Literal["compute", "network", "serving", "idle"]
"""What a kind of job needs most: jobs of one lane wait for each other alone. The third asks for our own answers.

The last one is for what counts only on a machine that does nothing else: it makes way for whatever else there is.
"""

ENDED: frozenset[JobState] = frozenset({"done", "failed", "cancelled"})


class JobProgress(msgspec.Struct, frozen=True, kw_only=True, tag="progress", tag_field="type"):
    """How far the work is; `total` None: not known. `unit` is `bytes`, `ratio` or a plural noun such as `layers`.

    `rate` is in units a second, None where that says nothing. `digest` is that of what is worked on, if it has one.
    `num_failed` of what is done came to nothing.
    """

    text: str = ""
    done: float = 0.0
    total: float | None = None
    unit: str = "ratio"
    rate: float | None = None
    digest: str | None = None
    num_failed: int = 0

    @property
    def left_s(self) -> float | None:
        """Return how long it will take at this rate, None where that cannot be told."""
        return None if not self.rate or self.total is None else max(0.0, self.total - self.done) / self.rate


class JobError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a job failed, and the last lines that its process wrote. `kind` names the class in `appliance.errors`."""

    message: str
    kind: str = "ApplianceError"
    log: tuple[str, ...] = ()


Tell: TypeAlias = Callable[[JobProgress], None]
"""How whoever works on a job says how far it is."""


def tell_nobody(progress: JobProgress) -> None:
    """Be the `Tell` of work that nobody follows."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of durable work. Times are seconds since 1970; `num_interruptions`: daemons that died under it.

    An empty `caller` is the daemon itself.
    """

    id: JobId
    kind: str
    arguments: JsonObject
    caller: str
    created_s: float
    state: JobState = "queued"
    progress: JobProgress = JobProgress()
    started_s: float | None = None
    ended_s: float | None = None
    error: JobError | None = None
    result: JsonObject | None = None
    num_interruptions: int = 0

    @property
    def has_ended(self) -> bool:
        """Return whether nothing will change any more."""
        return self.state in ENDED

    @property
    def duration_s(self) -> float | None:
        """Return the time from its first start to its end, None unless it had both."""
        return None if self.started_s is None or self.ended_s is None else self.ended_s - self.started_s


class JobKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of job as data: the module that its child process runs, and the form of its arguments.

    A resumable kind finds in its folder what it wrote before it was interrupted; another always finds it empty. Two
    orders whose arguments agree in all that `shared_by` names are one job, as long as it has not ended.
    """

    name: str
    module: str
    arguments: type[msgspec.Struct]
    is_resumable: bool = False
    lane: Lane = "compute"
    shared_by: tuple[str, ...] = ()


class JobOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The one line that a child process reads: its arguments, and the folder that is its own until it ends.

    `settings` are those that the daemon has for this kind now; secrets may be among them, so they are nowhere else.
    """

    id: JobId
    arguments: msgspec.Raw
    home: str
    folder: str
    settings: msgspec.Raw = msgspec.Raw(b"{}")


class ChildResult(msgspec.Struct, frozen=True, kw_only=True, tag="result", tag_field="type"):
    """The last line of a child process that succeeded."""

    result: JsonObject


class ChildError(msgspec.Struct, frozen=True, kw_only=True, tag="error", tag_field="type"):
    """The last line of a child process that failed."""

    error: ErrorInfo


ChildEvent = JobProgress | ChildResult | ChildError


class KeptModel(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a job that made a model: the name it is installed under, and what quantizing it cost."""

    model: str
    quality: ModelLoss | None = None


class SubmitJob(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /admin/v1/jobs`."""

    kind: str
    arguments: JsonObject = {}


class JobList(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `GET /admin/v1/jobs`: newest first."""

    jobs: tuple[Job, ...]


class JobNews(msgspec.Struct, frozen=True, kw_only=True, tag="job", tag_field="type"):
    """One event of a job that is followed: the job as it is now. The last one has ended."""

    job: Job


JobEvent = JobNews | Problem
