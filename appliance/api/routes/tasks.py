"""`/v1/inference` and `/v1/tasks`: one question, answered at once, or as a task that is on the disk."""

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.types import ASGIApp

from appliance.api.access import refine
from appliance.api.body import read_json
from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.respond import caller_of, json_response
from appliance.api.sse import StreamTiming, unless_gone
from appliance.core.tasks import TaskState
from appliance.dialects.inference import (
    InferenceRequest,
    InferenceWire,
    TasksWire,
    TaskWire,
    becomes_task,
    inference_to_core,
    inference_wire,
    task_wire,
    tasks_wire,
)
from appliance.dialects.notify import targets_of
from appliance.dialects.pages import check_limit
from appliance.errors import InvalidRequest
from appliance.jobs.notify.notifications import Notifications
from appliance.jobs.tasks.inference import answer
from appliance.jobs.tasks.tasks import Tasks
from appliance.ops.report import StatusReport
from appliance.service.generate import Generation
from appliance.service.installed import Installed
from appliance.settings import ServerSettings

from .events import event_stream
from .inference import new_id


@post(
    "/v1/inference",
    status_code=200,
    operation=Operation(
        takes=InferenceRequest,
        gives=InferenceWire,
        also={202: TaskWire},
        example={"input_text": "Name a city.", "max_length": 16},
    ),
)
async def infer(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    generation: NamedDependency[Generation],
    tasks: NamedDependency[Tasks],
    report: NamedDependency[StatusReport],
) -> Response[bytes]:
    """Answer at once or, as the caller wants or allows it, with a task."""
    wire = await read_json(request, InferenceRequest, server.max_body_bytes)
    model = installed.resolve_for("generate", wire.model)
    caller = refine(caller_of(request), wire.user)
    targets = targets_of(wire.notify)
    if targets and wire.mode == "sync":
        raise InvalidRequest("'notify' is for tasks; it needs the mode 'async' or 'auto'", param="notify")
    if becomes_task(wire, is_busy=report.num_waiting() > 0):
        later = inference_to_core(wire, new_id(), model, "batch")
        task = await tasks.submit(caller_of(request).id, later, caller, targets)
        response = json_response(task_wire(task), status=202)
        response.headers["location"] = f"/v1/tasks/{task.id}"
        return response
    core = inference_to_core(wire, new_id(), model, "normal")
    found = await unless_gone(request.receive, answer(generation, core, caller))
    return json_response(inference_wire(found, model))


@get("/v1/tasks", operation=Operation(gives=TasksWire))
async def list_tasks(
    request: HttpRequest,
    tasks: NamedDependency[Tasks],
    status: FromQuery[TaskState | None] = None,
    after: FromQuery[str | None] = None,
    limit: FromQuery[int] = 20,
) -> Response[bytes]:
    """Answer with a page of the caller's tasks; `status=failed` are those that were given up."""
    check_limit(limit)
    return json_response(tasks_wire(await tasks.page(caller_of(request).id, status, after, limit + 1), limit))


@get("/v1/tasks/{task_id:str}", operation=Operation(gives=TaskWire))
async def get_task(
    request: HttpRequest,
    task_id: FromPath[str],
    tasks: NamedDependency[Tasks],
    notifications: NamedDependency[Notifications],
) -> Response[bytes]:
    """Answer with a task as it is now."""
    task = await tasks.get(caller_of(request).id, task_id)
    return json_response(task_wire(task, await notifications.about(task.id) if task.notify else ()))


@get("/v1/tasks/{task_id:str}/events", operation=Operation(streams=TaskWire))
async def follow_task(
    request: HttpRequest,
    task_id: FromPath[str],
    tasks: NamedDependency[Tasks],
    timing: NamedDependency[StreamTiming],
) -> ASGIApp:
    """Answer with a stream of what becomes of a task, until it has ended."""
    news = tasks.follow(caller_of(request).id, task_id)
    return event_stream((task_wire(task) async for task in news), timing)


@post("/v1/tasks/{task_id:str}/retry", status_code=200, operation=Operation(gives=TaskWire))
async def retry_task(request: HttpRequest, task_id: FromPath[str], tasks: NamedDependency[Tasks]) -> Response[bytes]:
    """Try a task again that has failed."""
    return json_response(task_wire(await tasks.retry(caller_of(request).id, task_id)))


@delete("/v1/tasks/{task_id:str}", status_code=200, operation=Operation(gives=TaskWire))
async def cancel_task(request: HttpRequest, task_id: FromPath[str], tasks: NamedDependency[Tasks]) -> Response[bytes]:
    """Give a task up."""
    return json_response(task_wire(await tasks.cancel(caller_of(request).id, task_id)))
