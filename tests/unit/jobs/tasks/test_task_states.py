"""Which state of a task follows which."""

import pytest
from msgspec.structs import replace

from appliance.core.caller import LOCAL
from appliance.core.request import GenerateRequest, RequestId, TextPrompt
from appliance.core.tasks import Task, TaskAnswer, TaskId
from appliance.errors import ApplianceError, BackendError, Conflict, Draining, InvalidRequest, ModelNotFound, QueueFull
from appliance.jobs.tasks import states

REQUEST = GenerateRequest(id=RequestId("r"), model="m", prompt=TextPrompt(text="hi"))
TASK = Task(id=TaskId("t"), owner="ada", caller=LOCAL, request=REQUEST, created_s=0.0)
ANSWER = TaskAnswer(predictions=(), confidence=None, prompt_tokens=1, completion_tokens=1)


def test_a_task_that_is_answered_has_ended() -> None:
    task = states.finish(states.begin(TASK, 5.0), ANSWER, 7.0)
    assert (task.state, task.started_s, task.ended_s, task.num_tries, task.has_ended) == ("done", 5.0, 7.0, 1, True)


@pytest.mark.parametrize("error", [QueueFull("full"), BackendError("died"), Draining("stopping")])
def test_the_daemons_own_trouble_is_waited_out_longer_each_time(error: ApplianceError) -> None:
    task, pauses_s = TASK, []
    while task.state == "queued":
        task = states.after_failure(states.begin(task, 0.0), error, 0.0)
        pauses_s.append(task.next_try_s)
    assert (task.state, task.num_tries) == ("failed", states.MAX_TRIES)
    assert pauses_s[:-1] == sorted(pauses_s[:-1]) and len(set(pauses_s[:-1])) == states.MAX_TRIES - 1
    assert task.error is not None and task.error.message == error.message


def test_a_pause_that_was_asked_for_is_kept() -> None:
    busy = QueueFull("full", retry_after_s=33.0)
    assert states.after_failure(states.begin(TASK, 0.0), busy, 100.0).next_try_s == 133.0


@pytest.mark.parametrize("error", [InvalidRequest("bad"), ModelNotFound("no model")])
def test_what_is_wrong_with_the_request_fails_at_once(error: ApplianceError) -> None:
    task = states.after_failure(states.begin(TASK, 0.0), error, 1.0)
    assert (task.state, task.ended_s) == ("failed", 1.0)


def test_the_death_of_a_daemon_is_no_try() -> None:
    running = states.begin(TASK, 0.0)
    assert states.recover(running) == replace(running, state="queued", num_tries=0)
    assert states.recover(TASK) == TASK


def test_only_a_failed_task_is_tried_again_and_then_from_the_beginning() -> None:
    failed = states.after_failure(states.begin(TASK, 0.0), InvalidRequest("bad"), 1.0)
    again = states.retry(failed)
    assert (again.state, again.num_tries, again.ended_s, again.error) == ("queued", 0, None, None)
    for task in (TASK, states.finish(TASK, ANSWER, 1.0)):
        with pytest.raises(Conflict):
            states.retry(task)


def test_what_has_ended_cannot_be_cancelled() -> None:
    assert states.cancel(TASK, 2.0).state == "cancelled"
    with pytest.raises(Conflict, match="done"):
        states.cancel(states.finish(TASK, ANSWER, 1.0), 2.0)
