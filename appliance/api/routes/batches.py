"""`/v1/batches`: many requests in a file, answered when nobody else needs the machine."""

import time

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from appliance.api.body import read_json
from appliance.api.errors import HttpRequest
from appliance.api.operation import Operation
from appliance.api.respond import caller_of, json_response
from appliance.dialects.openai.batches import (
    BatchesWire,
    BatchRequest,
    BatchWire,
    batch_to_core,
    batch_wire,
    batches_wire,
)
from appliance.dialects.pages import check_limit
from appliance.jobs.batches.batches import Batches, new_batch_id
from appliance.jobs.notify.notifications import Notifications
from appliance.settings import ServerSettings

EXAMPLE = {"input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h"}


@post("/v1/batches", status_code=200, operation=Operation(takes=BatchRequest, gives=BatchWire, example=EXAMPLE))
async def create_batch(
    request: HttpRequest, server: NamedDependency[ServerSettings], batches: NamedDependency[Batches]
) -> Response[bytes]:
    """Take a batch in; it is on the disk when this answers."""
    wire = await read_json(request, BatchRequest, server.max_body_bytes)
    batch = batch_to_core(wire, new_batch_id(), caller_of(request).id, time.time())
    return json_response(batch_wire(await batches.create(batch)))


@get("/v1/batches", operation=Operation(gives=BatchesWire))
async def list_batches(
    request: HttpRequest,
    batches: NamedDependency[Batches],
    after: FromQuery[str | None] = None,
    limit: FromQuery[int] = 20,
) -> Response[bytes]:
    """Answer with a page of the caller's batches, the newest first."""
    check_limit(limit)
    return json_response(batches_wire(await batches.page(caller_of(request).id, after, limit + 1), limit))


@get("/v1/batches/{batch_id:str}", operation=Operation(gives=BatchWire))
async def get_batch(
    request: HttpRequest,
    batch_id: FromPath[str],
    batches: NamedDependency[Batches],
    notifications: NamedDependency[Notifications],
) -> Response[bytes]:
    """Answer with a batch as it is now."""
    batch = await batches.get(caller_of(request).id, batch_id)
    return json_response(batch_wire(batch, await notifications.about(batch.id) if batch.notify else ()))


@post("/v1/batches/{batch_id:str}/cancel", status_code=200, operation=Operation(gives=BatchWire))
async def cancel_batch(
    request: HttpRequest, batch_id: FromPath[str], batches: NamedDependency[Batches]
) -> Response[bytes]:
    """Stop a batch; what is answered already is kept."""
    return json_response(batch_wire(await batches.cancel(caller_of(request).id, batch_id)))
