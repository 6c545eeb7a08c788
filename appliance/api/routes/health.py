"""Is it there, is it ready, what does it count."""

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.enums import MediaType

from appliance.api.operation import Operation
from appliance.api.respond import json_response
from appliance.ops.metrics import CONTENT_TYPE, Metrics
from appliance.ops.ready import Readiness


@get("/health", sync_to_thread=False, operation=Operation(gives=dict[str, str]))
def health() -> Response[bytes]:
    """Answer that the daemon listens."""
    return json_response({"status": "ok"})


@get("/ready", sync_to_thread=False, operation=Operation(gives=dict[str, str], also={503: dict[str, str]}))
def ready(readiness: NamedDependency[Readiness]) -> Response[bytes]:
    """Answer 200 when work can be sent here, 503 with the reason when not."""
    reason = readiness.reason
    if reason is None:
        return json_response({"status": "ready"})
    response = json_response({"status": "not ready", "reason": reason}, status=503)
    response.set_header("retry-after", "1")
    return response


@get("/metrics", sync_to_thread=False, operation=Operation(gives=str, gives_type="text/plain"))
def metrics(metrics: NamedDependency[Metrics]) -> Response[bytes]:
    """Answer with all metrics, in Prometheus' text format."""
    return Response(metrics.render(), media_type=MediaType.TEXT, headers={"content-type": CONTENT_TYPE})
