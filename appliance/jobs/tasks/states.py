"""Which state of a task follows which, and what is tried again. Pure; knows no clock, table or engine."""

from msgspec.structs import replace

from appliance.core.tasks import Task, TaskAnswer
from appliance.errors import ApplianceError, Conflict, to_info

MAX_TRIES = 6
FIRST_PAUSE_S = 2.0
MAX_PAUSE_S = 120.0


def begin(task: Task, now_s: float) -> Task:
    """Return the queued task as it runs."""
    started_s = now_s if task.started_s is None else task.started_s
    return replace(task, state="running", started_s=started_s, num_tries=task.num_tries + 1)


def finish(task: Task, answer: TaskAnswer, now_s: float) -> Task:
    """Return the task with its answer."""
    return replace(task, state="done", answer=answer, error=None, ended_s=now_s)


def after_failure(task: Task, error: ApplianceError, now_s: float) -> Task:
    """Return the task as it waits for another try or, when none can help or all were in vain, as it has failed."""
    if may_pass(error) and task.num_tries < MAX_TRIES:
        pause_s = min(MAX_PAUSE_S, error.retry_after_s or FIRST_PAUSE_S * 2 ** (task.num_tries - 1))
        return replace(task, state="queued", error=to_info(error), next_try_s=now_s + pause_s)
    return replace(task, state="failed", error=to_info(error), ended_s=now_s)


def recover(task: Task) -> Task:
    """Return the task as a new daemon finds it: what ran is asked again. A daemon's death is no try of the task's."""
    if task.state != "running":
        return task
    return replace(task, state="queued", num_tries=task.num_tries - 1)


def cancel(task: Task, now_s: float) -> Task:
    """Return the task as it was given up. Raises: Conflict, when it has ended."""
    if task.has_ended:
        raise Conflict(f"task {task.id} is {task.state} and cannot be cancelled")
    return replace(task, state="cancelled", ended_s=now_s)


def retry(task: Task) -> Task:
    """Return the failed task as it waits for a fresh start. Raises: Conflict, unless it has failed."""
    if task.state != "failed":
        raise Conflict(f"task {task.id} is {task.state}; only one that has failed is tried again")
    return replace(task, state="queued", num_tries=0, next_try_s=0.0, ended_s=None, error=None)


def may_pass(error: ApplianceError) -> bool:
    """Return whether the same request may succeed later: the daemon's own trouble, but not the request's."""
    return error.status == 429 or error.status >= 500
