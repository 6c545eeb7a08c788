"""`/admin/v1/doctor`: what is right and wrong with the daemon's machine."""

from litestar import Response, get
from litestar.di import NamedDependency

from appliance.api.respond import json_response, needs_admin
from appliance.ops.doctor.doctor import Doctor


@get("/admin/v1/doctor", guards=[needs_admin])
async def examine(doctor: NamedDependency[Doctor]) -> Response[bytes]:
    """Answer with all findings. It takes a second or two, in which other requests go on."""
    return json_response(await doctor.examine())
