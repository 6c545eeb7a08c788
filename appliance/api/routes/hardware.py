"""`/admin/v1/hardware`: what the daemon's machine is and does."""

import asyncio

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery

from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.respond import json_response, needs_operate
from appliance.core.hardware import Hardware
from appliance.ops.machine import Machine


@get("/admin/v1/hardware", operation=Operation(gives=Hardware))
async def hardware(
    request: HttpRequest, machine: NamedDependency[Machine], bandwidth: FromQuery[bool] = False
) -> Response[bytes]:
    """Answer with facts and readings; `?bandwidth=true` measures the memory, on all cores for a second."""
    if bandwidth:
        needs_operate(request, request.route_handler)
    return json_response(await asyncio.to_thread(machine.hardware, with_bandwidth=bandwidth))
