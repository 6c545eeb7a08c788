"""A task: one question whose answer may come later, and is kept for a while."""

from typing import Literal, NewType

import msgspec

from .caller import Caller
from .events import ErrorInfo, FinishReason
from .notify import Target
from .request import GenerateRequest

TaskId = NewType("TaskId", str)
TaskState = Literal["queued", "running", "done", "failed", "cancelled"]
TASK_ENDED: frozenset[TaskState] = frozenset({"done", "failed", "cancelled"})


class Prediction(msgspec.Struct, frozen=True, kw_only=True):
    """One answer. `confidence` is the geometric mean of its tokens' probabilities, None where it has none."""

    text: str
    finish_reason: FinishReason
    confidence: float | None


class TaskAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a task came to, and what it cost. `confidence` is that of the first prediction."""

    predictions: tuple[Prediction, ...]
    confidence: float | None
    prompt_tokens: int
    completion_tokens: int


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A task as it is kept. Times are seconds since 1970; it is not tried again before `next_try_s`.

    It belongs to `owner`, and is asked in the name of `caller`, which may be one of the owner's users.
    """

    id: TaskId
    owner: str
    caller: Caller
    request: GenerateRequest
    created_s: float
    state: TaskState = "queued"
    num_tries: int = 0
    next_try_s: float = 0.0
    started_s: float | None = None
    ended_s: float | None = None
    answer: TaskAnswer | None = None
    error: ErrorInfo | None = None
    notify: tuple[Target, ...] = ()

    @property
    def has_ended(self) -> bool:
        """Return whether nothing will change any more."""
        return self.state in TASK_ENDED
