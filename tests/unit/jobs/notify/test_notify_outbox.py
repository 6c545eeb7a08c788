"""The notifications on disk."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from appliance.core.caller import LOCAL
from appliance.core.notify import Delivery, DeliveryId, Target
from appliance.core.request import GenerateRequest, RequestId, TextPrompt
from appliance.core.tasks import Task, TaskId
from appliance.database import DATABASE_FILE
from appliance.errors import StorageError
from appliance.jobs.notify import states
from appliance.jobs.notify.outbox import Outbox
from appliance.jobs.tasks.table import TaskTable

REQUEST = GenerateRequest(id=RequestId("r"), model="m", prompt=TextPrompt(text="hi"))
TASK = Task(id=TaskId("task-1"), owner="ada", caller=LOCAL, request=REQUEST, created_s=0.0)


def delivery(id: str = "msg_1", **fields: object) -> Delivery:
    target = Target(kind="webhook", address="https://a.example")
    made = Delivery(
        id=DeliveryId(id), subject="task-1", event="task.done", target=target, body="secret words", created_s=0.0
    )
    return replace(made, **fields)


def test_a_notification_is_on_the_disk_with_the_end_that_it_tells_of(tmp_path: Path) -> None:
    table, outbox = TaskTable(tmp_path / DATABASE_FILE), Outbox(tmp_path / DATABASE_FILE)
    table.save(replace(TASK, state="done", ended_s=1.0), [delivery()])
    assert outbox.due(0.0, 10) == outbox.about("task-1") == [delivery()]
    table.close()
    outbox.close()


def test_where_one_of_both_cannot_be_written_neither_is(tmp_path: Path) -> None:
    table, outbox = TaskTable(tmp_path / DATABASE_FILE), Outbox(tmp_path / DATABASE_FILE)
    table.save(TASK)
    with pytest.raises(StorageError):
        table.save(replace(TASK, state="done"), [delivery(), delivery("msg_2", subject=None)])
    assert (table.get("ada", "task-1"), outbox.about("task-1")) == (TASK, [])
    table.close()
    outbox.close()


def test_what_is_due_comes_first_come_first_and_what_has_ended_never(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / DATABASE_FILE)
    for each in (delivery("c", next_try_s=9.0), delivery("b", next_try_s=3.0), delivery("a"), delivery("d")):
        outbox.save(each)
    outbox.save(states.delivered(delivery("d"), 1.0))
    assert [each.id for each in outbox.due(5.0, 10)] == ["a", "b"]
    assert [each.id for each in outbox.due(5.0, 1)] == ["a"]
    assert (outbox.next_try_s(5.0), outbox.next_try_s(9.0)) == (9.0, None)
    outbox.forget(2.0)
    assert [each.id for each in outbox.about("task-1")] == ["c", "b", "a"]
    outbox.close()


def test_what_was_delivered_leaves_no_content_in_the_file(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / DATABASE_FILE)
    outbox.save(delivery())
    outbox.save(states.delivered(delivery(), 1.0))
    outbox.close()
    assert b"secret words" not in (tmp_path / DATABASE_FILE).read_bytes()
