"""The routes of a caller's own tasks, and of everybody's feedback."""

from collections.abc import Iterator
from urllib.parse import quote

import msgspec

from appliance.core.feedback import Feedback, FeedbackExport
from appliance.core.notify import DeliveryState, TargetKind
from appliance.core.tasks import TaskState

from .transport import Transport


class TaskPrediction(msgspec.Struct, frozen=True):
    """One answer."""

    text: str
    confidence: float | None


class TaskResult(msgspec.Struct, frozen=True):
    """What a task came to."""

    predictions: list[TaskPrediction]


class TaskProblem(msgspec.Struct, frozen=True):
    """Why a task failed, or why its last try did."""

    message: str


class TaskNotification(msgspec.Struct, frozen=True):
    """Who is told of a task's end, and whether they have been."""

    kind: TargetKind
    address: str
    status: DeliveryState
    reason: str | None = None


class TaskView(msgspec.Struct, frozen=True):
    """A task as its caller sees it."""

    task_id: str
    status: TaskState
    model: str
    created_at: float
    started_at: float | None
    ended_at: float | None
    num_tries: int
    result: TaskResult | None
    error: TaskProblem | None
    notifications: list[TaskNotification]


class _TaskPage(msgspec.Struct, frozen=True):
    data: list[TaskView]


class TaskCalls:
    """Part of the client. Every method raises: NoDaemon, ClientError."""

    _transport: Transport

    def tasks(self, status: TaskState | None = None, *, limit: int = 100) -> list[TaskView]:
        """Return the caller's newest tasks, the newest first, of one state or of all."""
        query = f"limit={limit}" + (f"&status={status}" if status else "")
        return self._transport.call("GET", f"/v1/tasks?{query}", _TaskPage).data

    def task(self, task_id: str) -> TaskView:
        """Return one task."""
        return self._transport.call("GET", _path(task_id), TaskView)

    def cancel_task(self, task_id: str) -> TaskView:
        """Give a task up and return what became of it."""
        return self._transport.call("DELETE", _path(task_id), TaskView)

    def retry_task(self, task_id: str) -> TaskView:
        """Try a task again that has failed."""
        return self._transport.call("POST", _path(task_id) + "/retry", TaskView)

    def feedback(self) -> Iterator[Feedback]:
        """Yield everybody's feedback, the oldest first."""
        after: int | None = 0
        while after is not None:
            part = self._transport.call("GET", f"/admin/v1/feedback?after={after}", FeedbackExport)
            yield from part.feedback
            after = part.next


def _path(task_id: str) -> str:
    return "/v1/tasks/" + quote(task_id, safe="")
