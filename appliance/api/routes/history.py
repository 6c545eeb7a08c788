"""`/admin/v1/history`: what the box did lately."""

from litestar import Response, get
from litestar.di import NamedDependency

from appliance.api.operation import Operation
from appliance.api.respond import json_response
from appliance.core.history import History
from appliance.ops.report import StatusReport


@get("/admin/v1/history", sync_to_thread=False, operation=Operation(gives=History))
def show_history(report: NamedDependency[StatusReport]) -> Response[bytes]:
    """Answer with the last minutes in steps of two seconds."""
    return json_response(report.history())
