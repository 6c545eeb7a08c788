"""`/admin/v1/models/calibrate`: a model measured now, in every way in which it can run here."""

from litestar import Response, post
from litestar.di import NamedDependency

from appliance.api.body import read_json
from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.respond import caller_of, json_response, needs_operate
from appliance.core.calibration import CalibrateModel, CalibrationJobs
from appliance.jobs.calibrating import Calibrating
from appliance.settings import ServerSettings


@post(
    "/admin/v1/models/calibrate",
    guards=[needs_operate],
    status_code=202,
    operation=Operation(takes=CalibrateModel, gives=CalibrationJobs, example={"model": "mine"}),
)
async def calibrate_model(
    request: HttpRequest, server: NamedDependency[ServerSettings], calibrating: NamedDependency[Calibrating]
) -> Response[bytes]:
    """Take in the jobs that measure a model; they run one after the other, and make way for requests."""
    order = await read_json(request, CalibrateModel, server.max_body_bytes)
    jobs = await calibrating.order(order.model, order.backends, caller_of(request).id)
    return json_response(jobs, status=202)
