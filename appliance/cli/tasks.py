"""`appliance tasks`: the questions whose answers may come later."""

import argparse
from collections.abc import Callable
from datetime import datetime
from typing import get_args

from appliance.client import Client
from appliance.client.tasks import TaskNotification, TaskView
from appliance.core.tasks import TaskState
from appliance.core.units import format_seconds
from appliance.words import tr

from .arguments import Group, Run, add_command, add_parser, add_verb
from .context import Context
from .exits import DONE
from .output import fields, print_json, printable, table

DESCRIPTION = """
List, show, cancel and retry your tasks: questions that were given to /v1/inference in the mode "async".

A task is answered when nobody else needs the machine. After a crash or a restart of the daemon it goes on.
"""
_ID = "task-5c3e"
HEADERS = ("ID", "MODEL", "STATE", "TRIES", "CREATED", "TOOK")


def register(group: Group) -> None:
    """Add the group and its commands."""
    examples = "appliance tasks list --state failed\nappliance tasks show task-5c3e"
    parser = add_parser(group, "tasks", "list, show, cancel and retry tasks", DESCRIPTION, examples)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    description = "List the newest of your tasks."
    examples = "appliance tasks list\nappliance tasks list --state failed --json"
    listing = add_command(commands, "list", _list, "list the tasks", description, examples)
    listing.add_argument("--state", choices=get_args(TaskState), help="only those in this state")
    description = "Show a task: its answer or why it failed, and who was told."
    add_verb(commands, "task", _ID, "show", _show, "show what is known of a task", description)
    description = "Give a task up. What has ended cannot be cancelled."
    add_verb(commands, "task", _ID, "cancel", _verb(Client.cancel_task), "give a task up", description)
    description = "Try a task again that has failed."
    add_verb(commands, "task", _ID, "retry", _verb(Client.retry_task), "try a failed task again", description)


def _verb(action: Callable[[Client, str], TaskView]) -> Run:
    def run(arguments: argparse.Namespace, context: Context) -> int:
        task = action(context.client(), arguments.id)
        if context.is_json:
            print_json(task)
        else:
            print(tr("{id} is {state}", id=task.task_id, state=task.status))
        return DONE

    return run


def _list(arguments: argparse.Namespace, context: Context) -> int:
    tasks = context.client().tasks(arguments.state)
    if context.is_json:
        print_json(tasks)
    elif tasks:
        print(table(HEADERS, map(_row, tasks), right=("TRIES",)))
    else:
        print(tr("there is no task") if arguments.state is None else tr("no task is {state}", state=arguments.state))
    return DONE


def _row(task: TaskView) -> tuple[str, ...]:
    return (task.task_id, task.model, task.status, str(task.num_tries), _time(task.created_at) or "", _took(task))


def _show(arguments: argparse.Namespace, context: Context) -> int:
    task = context.client().task(arguments.id)
    if context.is_json:
        print_json(task)
    else:
        print(fields(_facts(task)))
        for prediction in task.result.predictions if task.result else ():
            print(f"\n{printable(prediction.text)}")
    return DONE


def _facts(task: TaskView) -> list[tuple[str, str | None]]:
    facts = [
        ("id", task.task_id),
        ("model", task.model),
        ("state", task.status),
        ("tries", str(task.num_tries)),
        ("created", _time(task.created_at)),
        ("started", _time(task.started_at) or tr("not yet")),
        ("ended", _time(task.ended_at) or tr("not yet")),
    ]
    if task.error is not None:
        facts.append(("error", printable(task.error.message)))
    return facts + [("told", _told(notification)) for notification in task.notifications]


def _told(notification: TaskNotification) -> str:
    because = f": {notification.reason}" if notification.reason else ""
    status = notification.status.replace("_", " ")
    return printable(f"{notification.kind} {notification.address} {status}{because}")


def _took(task: TaskView) -> str:
    if task.started_at is None or task.ended_at is None:
        return "-"
    return format_seconds(task.ended_at - task.started_at)


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M}"
