"""`/admin/v1/requests`: what waits, runs and has ended lately, and the way to end one."""

from litestar import Response, delete, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from appliance.api.operation import Operation
from appliance.api.respond import json_response, needs_operate
from appliance.core.admin import Requests
from appliance.ops.requests import RequestLog
from appliance.service.generate import Generation


@get("/admin/v1/requests", guards=[needs_operate], sync_to_thread=False, operation=Operation(gives=Requests))
def list_requests(requests: NamedDependency[RequestLog]) -> Response[bytes]:
    """Answer with what is known of requests, without their content."""
    return json_response(requests.requests())


@delete("/admin/v1/requests/{id:str}", guards=[needs_operate], status_code=204, operation=Operation())
async def cancel_request(
    id: FromPath[str], requests: NamedDependency[RequestLog], generation: NamedDependency[Generation]
) -> None:
    """End a request; its caller is told that an operator did."""
    for request_id in requests.find(id):
        generation.cancel(request_id)
