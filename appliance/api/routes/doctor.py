"""`/admin/v1/doctor`: what is right and wrong with the daemon's machine."""

from litestar import Response, get
from litestar.di import NamedDependency

from appliance.api.operation import Operation
from appliance.api.respond import json_response, needs_admin
from appliance.core.doctor import Diagnosis
from appliance.ops.doctor.doctor import Doctor


@get("/admin/v1/doctor", guards=[needs_admin], operation=Operation(gives=Diagnosis))
async def examine(doctor: NamedDependency[Doctor]) -> Response[bytes]:
    """Answer with all findings. It takes a second or two, in which other requests go on."""
    return json_response(await doctor.examine())
