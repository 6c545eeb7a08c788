"""`/admin/v1`: the daemon's status, its models and its keys."""

import asyncio

from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.types import ASGIApp

from appliance.api.body import read_json
from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.respond import json_response, needs_admin, needs_operate
from appliance.api.sse import StreamTiming
from appliance.core.admin import (
    AddModel,
    CreatedKey,
    CreateKey,
    InstalledModel,
    InstalledModels,
    Keys,
    ModelRef,
    ProgressEvent,
    Removed,
    Status,
)
from appliance.ops.keys import KeyStore
from appliance.ops.lifecycle import DrainSwitch
from appliance.ops.machine import Machine
from appliance.ops.report import StatusReport
from appliance.service.care import ModelCare
from appliance.settings import ServerSettings

from .events import event_stream


@get("/admin/v1/status", operation=Operation(gives=Status))
async def status(report: NamedDependency[StatusReport], machine: NamedDependency[Machine]) -> Response[bytes]:
    """Answer with what the daemon does now."""
    return json_response(report.status(await asyncio.to_thread(machine.vitals)))


@get("/admin/v1/models", sync_to_thread=False, operation=Operation(gives=InstalledModels))
def list_models(care: NamedDependency[ModelCare]) -> Response[bytes]:
    """Answer with all models."""
    return json_response(InstalledModels(models=care.models()))


@get("/admin/v1/models/{name:path}", sync_to_thread=False, operation=Operation(gives=InstalledModel))
def get_model(name: FromPath[str], care: NamedDependency[ModelCare]) -> Response[bytes]:
    """Answer with one model."""
    return json_response(care.model(name.lstrip("/")))


@post(
    "/admin/v1/models",
    guards=[needs_operate],
    status_code=200,
    operation=Operation(takes=AddModel, streams=ProgressEvent, example={"path": "/models/model.gguf"}),
)
async def add_model(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    care: NamedDependency[ModelCare],
    timing: NamedDependency[StreamTiming],
) -> ASGIApp:
    """Take a file in, as a stream of progress."""
    order = await read_json(request, AddModel, server.max_body_bytes)
    return event_stream(care.add(order), timing)


@delete("/admin/v1/models/{name:path}", guards=[needs_admin], status_code=200, operation=Operation(gives=Removed))
async def remove_model(
    name: FromPath[str], care: NamedDependency[ModelCare], dry_run: FromQuery[bool] = False
) -> Response[bytes]:
    """Forget a model; `?dry_run=true` only says what that would free."""
    return json_response(await (care.removable if dry_run else care.remove)(name.lstrip("/")))


@post(
    "/admin/v1/models/load",
    guards=[needs_operate],
    status_code=200,
    operation=Operation(takes=ModelRef, streams=ProgressEvent, example={"model": "guide"}),
)
async def load_model(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    care: NamedDependency[ModelCare],
    timing: NamedDependency[StreamTiming],
) -> ASGIApp:
    """Bring a model into memory, as a stream of progress."""
    ref = await read_json(request, ModelRef, server.max_body_bytes)
    return event_stream(care.load(ref.model), timing)


@post(
    "/admin/v1/models/unload",
    guards=[needs_operate],
    status_code=204,
    operation=Operation(takes=ModelRef, example={"model": "guide"}),
)
async def unload_model(
    request: HttpRequest, server: NamedDependency[ServerSettings], care: NamedDependency[ModelCare]
) -> None:
    """Take a model out of memory."""
    ref = await read_json(request, ModelRef, server.max_body_bytes)
    await care.unload(ref.model)


@post(
    "/admin/v1/models/pin",
    guards=[needs_operate],
    status_code=204,
    operation=Operation(takes=ModelRef, example={"model": "guide", "is_pinned": True}),
)
async def pin_model(
    request: HttpRequest, server: NamedDependency[ServerSettings], care: NamedDependency[ModelCare]
) -> None:
    """Keep a model in memory, or let it go again."""
    ref = await read_json(request, ModelRef, server.max_body_bytes)
    care.pin(ref.model, ref.is_pinned)


@get("/admin/v1/keys", guards=[needs_admin], sync_to_thread=False, operation=Operation(gives=Keys))
def list_keys(keys: NamedDependency[KeyStore]) -> Response[bytes]:
    """Answer with the keys' names and scopes."""
    return json_response(Keys(keys=keys.infos()))


@post(
    "/admin/v1/keys",
    guards=[needs_admin],
    status_code=201,
    operation=Operation(takes=CreateKey, gives=CreatedKey, example={"name": "laptop", "scope": "use"}),
)
async def create_key(
    request: HttpRequest, server: NamedDependency[ServerSettings], keys: NamedDependency[KeyStore]
) -> Response[bytes]:
    """Make a key; the answer is the only place that shows it."""
    order = await read_json(request, CreateKey, server.max_body_bytes)
    return json_response(keys.create(order.name, order.scope), status=201)


@delete("/admin/v1/keys/{name:str}", guards=[needs_admin], status_code=204, sync_to_thread=False, operation=Operation())
def revoke_key(name: FromPath[str], keys: NamedDependency[KeyStore]) -> None:
    """Make a key invalid from now on."""
    keys.revoke(name)


@post("/admin/v1/drain", guards=[needs_admin], status_code=202, sync_to_thread=False, operation=Operation())
def drain(drain_switch: NamedDependency[DrainSwitch]) -> None:
    """Refuse what comes, let answers under way finish, then end the daemon, as SIGTERM does."""
    drain_switch.flip()
