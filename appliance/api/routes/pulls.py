"""`/admin/v1/models/pull`: models from elsewhere, as jobs."""

from litestar import Response, post
from litestar.di import NamedDependency

from appliance.api.body import read_json
from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.respond import caller_of, json_response, needs_operate
from appliance.core.jobs import Job
from appliance.core.pulls import PullModel
from appliance.jobs.jobs import Jobs
from appliance.service.pull_order import PULL, checked_order
from appliance.settings import ServerSettings


@post(
    "/admin/v1/models/pull",
    guards=[needs_operate],
    status_code=202,
    operation=Operation(takes=PullModel, gives=Job, example={"model": "hf:OWNER/REPO:Q4_K_M", "name": "mine"}),
)
async def pull_model(
    request: HttpRequest, server: NamedDependency[ServerSettings], jobs: NamedDependency[Jobs]
) -> Response[bytes]:
    """Take in a job that fetches a model; who asks for the same model gets the same job."""
    order = checked_order(await read_json(request, PullModel, server.max_body_bytes))
    return json_response(await jobs.submit(PULL.name, order, caller_of(request).id), status=202)
