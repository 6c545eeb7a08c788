"""`/admin/v1/models/{alias,rollback,gc,scrub}` and `/admin/v1/versions`: names, versions and health of the store."""

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from appliance.api.body import read_json
from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.respond import caller_of, json_response, needs_admin, needs_operate
from appliance.core.admin import InstalledModel
from appliance.core.jobs import Job
from appliance.core.store import (
    AliasModel,
    CollectedGarbage,
    CollectGarbage,
    ModelVersions,
    RollBackModel,
    ScrubModels,
)
from appliance.jobs.jobs import Jobs
from appliance.service.installed import Installed
from appliance.service.store_care import SCRUB, StoreCare
from appliance.settings import ServerSettings


@post(
    "/admin/v1/models/alias",
    guards=[needs_operate],
    status_code=200,
    operation=Operation(
        takes=AliasModel, gives=InstalledModel, example={"model": "guide", "alias": "assistant:stable"}
    ),
)
async def alias_model(
    request: HttpRequest, server: NamedDependency[ServerSettings], store: NamedDependency[StoreCare]
) -> Response[bytes]:
    """Let one more name mean what a model's name means now."""
    return json_response(await store.alias(await read_json(request, AliasModel, server.max_body_bytes)))


@get("/admin/v1/versions/{name:path}", operation=Operation(gives=ModelVersions))
async def list_versions(name: FromPath[str], store: NamedDependency[StoreCare]) -> Response[bytes]:
    """Answer with what a name means and has meant."""
    return json_response(await store.versions(name.lstrip("/")))


@post(
    "/admin/v1/models/rollback",
    guards=[needs_operate],
    status_code=200,
    operation=Operation(takes=RollBackModel, gives=ModelVersions, example={"model": "assistant:stable"}),
)
async def roll_back_model(
    request: HttpRequest, server: NamedDependency[ServerSettings], store: NamedDependency[StoreCare]
) -> Response[bytes]:
    """Let a name mean again what it meant before."""
    return json_response(await store.roll_back(await read_json(request, RollBackModel, server.max_body_bytes)))


@post(
    "/admin/v1/models/gc",
    guards=[needs_admin],
    status_code=200,
    operation=Operation(takes=CollectGarbage, gives=CollectedGarbage, example={"is_dry_run": True}),
)
async def collect_garbage(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    store: NamedDependency[StoreCare],
    jobs: NamedDependency[Jobs],
) -> Response[bytes]:
    """Delete what belongs to no model, or say what that is."""
    order = await read_json(request, CollectGarbage, server.max_body_bytes)
    is_pulling = any(job.kind == "pull" and not job.has_ended for job in await jobs.newest())
    return json_response(await store.collect_garbage(order, keep_downloads=is_pulling))


@post(
    "/admin/v1/models/scrub",
    guards=[needs_operate],
    status_code=202,
    operation=Operation(takes=ScrubModels, gives=Job, example={"model": "guide"}),
)
async def scrub_models(
    request: HttpRequest,
    server: NamedDependency[ServerSettings],
    installed: NamedDependency[Installed],
    jobs: NamedDependency[Jobs],
) -> Response[bytes]:
    """Take in a job that reads models from the disk and compares them with their digests."""
    order = await read_json(request, ScrubModels, server.max_body_bytes)
    if order.model is not None:
        installed.resolve(order.model)
    return json_response(await jobs.submit(SCRUB.name, order, caller_of(request).id), status=202)
