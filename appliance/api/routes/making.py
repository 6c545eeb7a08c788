"""`/admin/v1/models/{convert,quantize}`: new models out of others, as jobs."""

from litestar import Response, post
from litestar.di import NamedDependency

from appliance.api.body import read_json
from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.respond import caller_of, json_response, needs_operate
from appliance.core.jobs import Job, JsonObject
from appliance.jobs.jobs import Jobs
from appliance.settings import ServerSettings


@post(
    "/admin/v1/models/convert",
    guards=[needs_operate],
    status_code=202,
    operation=Operation(takes=dict, gives=Job, example={"model": "/models/folder", "to": "gguf"}),
)
async def convert_model(
    request: HttpRequest, server: NamedDependency[ServerSettings], jobs: NamedDependency[Jobs]
) -> Response[bytes]:
    """Take in a job that makes a model of a folder with float weights."""
    return await _submitted(request, server, jobs, "convert")


@post(
    "/admin/v1/models/quantize",
    guards=[needs_operate],
    status_code=202,
    operation=Operation(takes=dict, gives=Job, example={"model": "mine", "to": ["Q8_0", "Q4_K_M"]}),
)
async def quantize_model(
    request: HttpRequest, server: NamedDependency[ServerSettings], jobs: NamedDependency[Jobs]
) -> Response[bytes]:
    """Take in a job that makes a smaller model of one with float weights."""
    return await _submitted(request, server, jobs, "quantize")


async def _submitted(request: HttpRequest, server: ServerSettings, jobs: Jobs, kind: str) -> Response[bytes]:
    arguments: JsonObject = await read_json(request, dict[str, object], server.max_body_bytes)
    return json_response(await jobs.submit(kind, arguments, caller_of(request).id), status=202)
